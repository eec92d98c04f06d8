//! Updates against a repository in memory: what is asked for, what is kept, what is refused.

use super::*;
use crate::testing::{BASE, Repository, instant, now};
use crate::{Kind, init};

/// An updater that trusts the repository's first root.
pub(super) async fn updater(repository: &Repository) -> (tempfile::TempDir, Updater) {
    let dir = tempfile::tempdir().unwrap();
    let datastore = Datastore::open(dir.path()).unwrap();
    init(&datastore, &repository.root(1), &Rules::default())
        .await
        .unwrap();
    let base: Url = BASE.parse().unwrap();
    let config = UpdaterConfig::new(base.clone(), base);
    let transport = Arc::clone(&repository.memory) as Arc<dyn Transport>;
    (dir, Updater::new(config, datastore, transport).unwrap())
}

pub(super) fn kept(dir: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

async fn refusal(updater: &Updater) -> ClientError {
    match updater.refresh(now()).await {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn cold_asks_for_everything_once_and_warm_for_two_files() {
    let mut repository = Repository::new();
    repository.targets("targets", 1, &[], None);
    repository.publish(1);
    let (dir, updater) = updater(&repository).await;
    updater.refresh(now()).await.unwrap();
    let cold = [
        "2.root.json",
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
    ];
    assert_eq!(repository.memory.requests(), cold);
    assert_eq!(
        kept(&dir),
        [
            "root.json",
            "snapshot.json",
            "targets.json",
            "timestamp.json"
        ]
    );
    updater.refresh(now()).await.unwrap();
    assert_eq!(
        repository.memory.requests(),
        ["2.root.json", "timestamp.json"]
    );
    // A damaged file is as good as none.
    std::fs::write(dir.path().join("snapshot.json"), b"{").unwrap();
    updater.refresh(now()).await.unwrap();
    assert_eq!(
        repository.memory.requests().last().unwrap(),
        "1.snapshot.json"
    );
}

#[tokio::test]
async fn what_was_verified_is_kept_when_a_later_step_fails() {
    let mut repository = Repository::new();
    repository.targets("targets", 1, &[], None);
    repository.publish(1);
    let (dir, updater) = updater(&repository).await;
    repository.root(2);
    repository.memory.put("1.snapshot.json", b"{}");
    assert_eq!(refusal(&updater).await.kind(), Kind::Digest);
    assert_eq!(kept(&dir), ["root.json", "timestamp.json"]);
    let root = RootChain::pinned(
        &std::fs::read(dir.path().join("root.json")).unwrap(),
        Rules::default(),
    )
    .unwrap();
    assert_eq!(root.root().version.get(), 2);
}

#[tokio::test]
async fn expired_and_set_back_timestamps_are_refused_and_not_kept() {
    let mut repository = Repository::new();
    repository.targets("targets", 1, &[], None);
    repository.publish(2);
    let (dir, updater) = updater(&repository).await;
    let late = updater.refresh(instant("2030-01-03T00:00:00Z")).await;
    assert_eq!(late.err().unwrap().kind(), Kind::Expired);
    assert_eq!(kept(&dir), ["root.json"]);
    updater.refresh(now()).await.unwrap();
    repository.publish(1);
    assert_eq!(refusal(&updater).await.exit_code(), 13);
}

#[tokio::test]
async fn without_a_signed_root_nothing_is_asked_for() {
    let repository = Repository::new();
    let (dir, updater) = updater(&repository).await;
    let other = repository.root(2);
    let datastore = &updater.shared.datastore;
    let refused = init(datastore, &other, &Rules::default()).await;
    assert!(matches!(refused, Err(ClientError::OtherRoot { .. })));
    init(datastore, &repository.root(1), &Rules::default())
        .await
        .unwrap();
    let file = String::from_utf8(repository.root(1)).unwrap();
    let unsigned = file.replacen("\"sig\":\"", "\"sig\":\"00", 1);
    std::fs::write(dir.path().join("root.json"), &unsigned).unwrap();
    assert_eq!(refusal(&updater).await.kind(), Kind::Signatures);
    assert!(
        init(datastore, unsigned.as_bytes(), &Rules::default())
            .await
            .is_err()
    );
    std::fs::remove_file(dir.path().join("root.json")).unwrap();
    assert!(matches!(
        refusal(&updater).await,
        ClientError::NoRoot { .. }
    ));
    assert!(repository.memory.requests().is_empty());
}

#[tokio::test]
async fn stops_asking_for_roots_at_the_limit_and_goes_on_next_time() {
    let mut repository = Repository::new();
    repository.targets("targets", 1, &[], None);
    repository.publish(1);
    let (_dir, mut updater) = updater(&repository).await;
    Arc::get_mut(&mut updater.shared)
        .unwrap()
        .config
        .rules
        .limits
        .root_rotations = 2;
    (2..=5).for_each(|version| drop(repository.root(version)));
    let version = |session: Session| session.snapped().root().version.get();
    assert_eq!(version(updater.refresh(now()).await.unwrap()), 3);
    assert_eq!(version(updater.refresh(now()).await.unwrap()), 5);
}

#[tokio::test]
async fn starts_once_more_when_a_file_vanishes_and_a_newer_timestamp_is_there() {
    let mut repository = Repository::new();
    repository.targets("targets", 1, &[], None);
    repository.publish(1);
    let (_dir, updater) = updater(&repository).await;
    repository.memory.remove("1.targets.json");
    let error = refusal(&updater).await;
    assert_eq!(error.to_string(), "targets v1 could not be fetched");
    let asked = [
        "2.root.json",
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
        "2.root.json",
        "timestamp.json",
    ];
    assert_eq!(repository.memory.requests(), asked);
    // The race itself: the newer state appears between the two passes.
    let old = Arc::clone(&repository.memory);
    let racing = tokio::spawn(async move { updater.refresh(now()).await.map(|_| ()) });
    while !old.requests().contains(&"1.targets.json".to_owned()) {
        tokio::task::yield_now().await;
    }
    repository.targets("targets", 2, &[], None);
    repository.publish(2);
    racing.await.unwrap().unwrap();
}
