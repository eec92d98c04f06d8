//! Searches and downloads within a session, against a repository in memory.

use metadata::TargetPath;
use trust::{Answer, Walked};

use super::tests::{kept, updater};
use crate::testing::{Repository, now};
use crate::{Kind, found};
use std::sync::Arc;

fn path(text: &str) -> TargetPath {
    TargetPath::parse(text).unwrap()
}

fn delegating(repository: &mut Repository) {
    let top = repository.delegations(&[
        ("claimed", "packages/*/*/*", false),
        ("bins", "packages/*/*/*", false),
    ]);
    repository.targets("targets", 1, &[("top.json", b"top")], Some(top));
    let claimed = repository.delegations(&[("project-x", "packages/00/x/*", true)]);
    repository.targets("claimed", 1, &[], Some(claimed));
    repository.targets("project-x", 1, &[("packages/00/x/x-1.zip", b"one")], None);
    let bins = repository.delegations(&[("bin-0", "", false)]);
    repository.targets("bins", 1, &[], Some(bins));
    repository.targets(
        "bin-0",
        1,
        &[
            ("packages/00/x/x-2.zip", b"evil"),
            ("packages/00/y/y-1.zip", b"y"),
        ],
        None,
    );
    repository.publish(1);
}

#[tokio::test]
async fn roles_are_asked_in_order_once_a_session_and_kept() {
    let mut repository = Repository::new();
    delegating(&mut repository);
    let (dir, updater) = updater(&repository).await;
    let session = updater.refresh(now()).await.unwrap();
    repository.memory.requests();
    let find = async |text| session.find(&path(text)).await;
    assert!(matches!(find("top.json").await, Answer::Found(_)));
    assert!(repository.memory.requests().is_empty());
    assert!(
        matches!(find("packages/00/x/x-1.zip").await, Answer::Found(target)
        if target.role().name() == "project-x")
    );
    assert_eq!(
        repository.memory.requests(),
        ["1.claimed.json", "1.project-x.json"]
    );
    // The bin lists it, but the project's role alone speaks for it.
    assert!(
        matches!(find("packages/00/x/x-2.zip").await, Answer::Terminated(role)
        if role.name() == "project-x")
    );
    assert!(matches!(
        find("packages/00/y/y-1.zip").await,
        Answer::Found(_)
    ));
    assert!(matches!(
        find("packages/00/z/z-1.zip").await,
        Answer::Unclaimed
    ));
    assert_eq!(
        repository.memory.requests(),
        ["1.bins.json", "1.bin-0.json"]
    );
    assert!(kept(&dir).contains(&"project-x.json".to_owned()));
    // The next session, with an empty memory, reads them from the datastore.
    *updater.shared.walked.lock().unwrap() = Walked::new(1 << 20);
    let session = updater.refresh(now()).await.unwrap();
    repository.memory.requests();
    assert_eq!(
        session.find(&path("packages/00/z/z-1.zip")).await,
        Answer::Unclaimed
    );
    assert!(repository.memory.requests().is_empty());
}

#[tokio::test]
async fn concurrent_searches_share_their_requests() {
    let mut repository = Repository::new();
    delegating(&mut repository);
    let (_dir, updater) = updater(&repository).await;
    let session = Arc::new(updater.refresh(now()).await.unwrap());
    repository.memory.requests();
    let searches = (0..8).map(|_| {
        let session = Arc::clone(&session);
        tokio::spawn(async move { session.find(&path("packages/00/y/y-1.zip")).await })
    });
    for search in searches.collect::<Vec<_>>() {
        assert!(matches!(search.await.unwrap(), Answer::Found(_)));
    }
    assert_eq!(
        repository.memory.requests(),
        ["1.claimed.json", "1.bins.json", "1.bin-0.json"]
    );
}

#[tokio::test]
async fn a_missing_role_is_a_failure_and_asked_for_once() {
    let mut repository = Repository::new();
    delegating(&mut repository);
    let (_dir, updater) = updater(&repository).await;
    let session = updater.refresh(now()).await.unwrap();
    repository.memory.remove("1.claimed.json");
    repository.memory.requests();
    for _ in 0..2 {
        let path = path("packages/00/y/y-1.zip");
        let error = found(&path, session.find(&path).await).unwrap_err();
        assert_eq!(
            (error.kind(), error.role().unwrap().name()),
            (Kind::Network, "claimed")
        );
    }
    assert!(session.has_vanished());
    assert_eq!(repository.memory.requests(), ["1.claimed.json"]);
}

#[tokio::test]
async fn a_role_that_changed_is_not_answered_from_memory() {
    let mut repository = Repository::new();
    delegating(&mut repository);
    let (_dir, updater) = updater(&repository).await;
    let y = path("packages/00/y/y-1.zip");
    let session = updater.refresh(now()).await.unwrap();
    assert!(matches!(session.find(&y).await, Answer::Found(_)));
    repository.targets("bin-0", 2, &[], None);
    repository.publish(2);
    let newer = updater.refresh(now()).await.unwrap();
    assert_eq!(newer.find(&y).await, Answer::Unclaimed);
    // The session before still answers from its own snapshot.
    assert!(matches!(session.find(&y).await, Answer::Found(_)));
}

#[tokio::test]
async fn downloads_whole_or_not_at_all() {
    let mut repository = Repository::new();
    delegating(&mut repository);
    let (_dir, updater) = updater(&repository).await;
    let session = updater.refresh(now()).await.unwrap();
    let y = path("packages/00/y/y-1.zip");
    let target = found(&y, session.find(&y).await).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let prefixed = y.with_digest(&target.file().hashes.get_sha256().unwrap());
    for (bytes, exit) in [(b"Y".as_slice(), 10), (b"yy", 10), (b"", 10)] {
        repository.memory.put(&prefixed, bytes);
        let error = session.download_to(&target, dir.path()).await.unwrap_err();
        assert_eq!(error.exit_code(), exit);
        assert_eq!(kept(&dir), [""; 0]);
    }
    repository.file("packages/00/y/y-1.zip", b"y");
    let to = session.download_to(&target, dir.path()).await.unwrap();
    assert_eq!(to.file_name().unwrap(), "packages%2F00%2Fy%2Fy-1.zip");
    repository.memory.requests();
    session.download_to(&target, dir.path()).await.unwrap();
    assert!(repository.memory.requests().is_empty());
    std::fs::write(&to, b"z").unwrap();
    session.download_to(&target, dir.path()).await.unwrap();
    assert_eq!(
        (std::fs::read(&to).unwrap(), kept(&dir).len()),
        (b"y".to_vec(), 1)
    );
    repository.memory.remove(&prefixed);
    let mut out = Vec::new();
    assert_eq!(
        session
            .download(&target, &mut out)
            .await
            .unwrap_err()
            .exit_code(),
        20
    );
}
