//! What a client trusts before it asks anybody: the root it was given, the least versions it was
//! given with it, and what it has kept.

use std::time::Duration;

use super::tests::{kept, updater};
use super::*;
use crate::testing::{Repository, instant, now};
use crate::{Kind, init};

fn at_least(role: &str, version: u64) -> Minimum {
    let role = Role::parse(role).unwrap();
    Minimum::from_iter([(role, Version::new(version).unwrap())])
}

async fn published() -> (Repository, tempfile::TempDir, Updater) {
    let mut repository = Repository::new();
    repository.targets("targets", 1, &[], None);
    repository.publish(1);
    let (dir, updater) = updater(&repository).await;
    (repository, dir, updater)
}

#[tokio::test]
async fn the_root_given_before_is_given_again_whatever_followed_it() {
    let (repository, _dir, updater) = published().await;
    let (first, second) = (repository.root(1), repository.root(2));
    updater.refresh(now()).await.unwrap();
    let datastore = &updater.shared.datastore;
    let rules = Rules::default();
    for known in [&first, &second] {
        init(datastore, known, &rules).await.unwrap();
    }
    let other = init(datastore, &repository.root(3), &rules).await;
    let Err(ClientError::OtherRoot {
        version, sha256, ..
    }) = other
    else {
        panic!("{other:?}");
    };
    assert_eq!((version.get(), sha256), (2, metadata::Sha256::of(&second)));
}

#[tokio::test]
async fn a_state_below_the_anchors_is_refused_and_not_kept() {
    for (role, below) in [
        ("root", ["root.json"].as_slice()),
        ("timestamp", &["root.json"]),
        ("snapshot", &["root.json", "timestamp.json"]),
        ("targets", &["root.json", "timestamp.json"]),
    ] {
        let (_repository, dir, mut updater) = published().await;
        let config = |updater: &mut Updater, minimum| {
            Arc::get_mut(&mut updater.shared).unwrap().config.minimum = minimum;
        };
        config(&mut updater, at_least(role, 2));
        let error = updater.refresh(now()).await.err().unwrap();
        assert_eq!(
            (error.kind(), error.role().unwrap().name()),
            (Kind::Rollback, role)
        );
        assert_eq!(kept(&dir), below, "{role}");
        config(&mut updater, at_least(role, 1));
        updater.refresh(now()).await.unwrap();
        config(&mut updater, at_least(role, 2));
        // Neither a second update nor what is kept comes by it.
        assert_eq!(
            updater.refresh(now()).await.err().unwrap().kind(),
            Kind::Rollback
        );
        assert_eq!(
            updater.resume(now()).await.err().unwrap().kind(),
            Kind::Rollback
        );
    }
    let (_repository, _dir, mut updater) = published().await;
    Arc::get_mut(&mut updater.shared).unwrap().config.minimum = at_least("claimed", 1);
    assert_eq!(
        updater.refresh(now()).await.err().unwrap().kind(),
        Kind::NotSigned
    );
}

#[tokio::test]
async fn what_is_kept_is_resumed_without_asking_or_locking_until_it_expires() {
    let (repository, dir, updater) = published().await;
    let nothing = updater.resume(now()).await.err().unwrap();
    assert!(
        matches!(nothing, ClientError::NothingHeld { .. }),
        "{nothing}"
    );
    updater.refresh(now()).await.unwrap();
    repository.memory.requests();
    let datastore = updater.shared.datastore.clone();
    let _held = datastore.lock().await.unwrap();
    let busy = Updater::new(
        updater.shared.config.clone(),
        Datastore::open(dir.path())
            .unwrap()
            .with_patience(Duration::ZERO),
        Arc::clone(&updater.shared.transport),
    )
    .unwrap();
    let refused = busy.refresh(now()).await.err().unwrap();
    assert!(matches!(refused, ClientError::Busy { .. }));
    let session = busy.resume(now()).await.unwrap();
    assert_eq!(session.snapped().timestamp().version, Version::FIRST);
    assert_eq!(repository.memory.requests(), [""; 0]);
    let late = busy.resume(instant("2030-01-03T00:00:00Z")).await;
    assert_eq!(late.err().unwrap().kind(), Kind::Expired);
    let file = dir.path().join("snapshot.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"version\":1", "\"version\":3")).unwrap();
    assert_eq!(busy.resume(now()).await.err().unwrap().kind(), Kind::Digest);
}
