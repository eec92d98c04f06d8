//! Attacks on what a client remembers: floors are neither lowered nor left behind when they have to
//! go (TUF 5.3.11, 5.4.3, 5.5.5).

use chrono::Duration;
use countersign_tests::{Bend, Key, Simulator, User, files, role};
use metadata::Role;
use trust::Rejection;

use crate::v;

fn timestamp_rollback(trusted: u64, found: u64) -> Rejection {
    Rejection::Rollback {
        role: Role::Timestamp,
        trusted: v(trusted),
        found: v(found),
    }
}

/// A repository at version 3 of snapshot and timestamp, and a client that has seen it.
async fn seen_three() -> (Simulator, User) {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.publish();
    repository.publish();
    user.refresh(&repository).await.unwrap();
    (repository, user)
}

/// Rollback (TUF 1.5.2) after a long absence: what was trusted has expired, and is a floor still
/// (5.4.3.1).
#[tokio::test]
async fn expired_timestamp_is_still_a_floor() {
    let (mut repository, user) = seen_three().await;
    repository.advance(Duration::days(3));
    repository.set_next_version("timestamp", 2);
    repository.publish_timestamp();
    assert_eq!(user.refused(&repository).await, timestamp_rollback(3, 2));

    repository.set_next_version("timestamp", 4);
    repository.publish_timestamp();
    user.refresh(&repository).await.unwrap();
}

/// The same for what an expired snapshot lists (5.5.5).
#[tokio::test]
async fn expired_snapshot_is_still_a_floor() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.touch("claimed");
    repository.publish();
    user.refresh(&repository).await.unwrap();
    repository.advance(Duration::days(30));
    repository.rewind("claimed", 1);
    repository.publish_snapshot();
    repository.publish_timestamp();
    let expected = Rejection::Rollback {
        role: role("claimed"),
        trusted: v(2),
        found: v(1),
    };
    assert_eq!(user.refused(&repository).await, expected);

    repository.rewind("claimed", 2);
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// A damaged snapshot on the client's disk: the timestamp's floor stands without it.
#[tokio::test]
async fn damaged_snapshot_lowers_no_timestamp_floor() {
    let (mut repository, user) = seen_three().await;
    let kept = user.kept("snapshot").unwrap();
    let path = user.datastore().join("snapshot.json");
    std::fs::write(&path, &kept[..kept.len() / 2]).unwrap();
    repository.rewind("snapshot", 2);
    repository.rewind("timestamp", 2);
    assert_eq!(user.refused(&repository).await, timestamp_rollback(3, 2));

    repository.rewind("snapshot", 3);
    repository.rewind("timestamp", 3);
    user.refresh(&repository).await.unwrap();
    assert_eq!(user.kept("snapshot").unwrap(), kept);
}

/// A new root that rotates none of the online keys resets nothing (5.3.11: only if they have been
/// rotated).
#[tokio::test]
async fn new_root_keys_lower_no_floor() {
    let (mut repository, user) = seen_three().await;
    let keys = [1, 2].map(|n| Key::ed25519(&format!("second-{n}")));
    repository.rotate("root", &keys, 2);
    repository.publish_root();
    repository.rewind("snapshot", 2);
    repository.rewind("timestamp", 2);
    assert_eq!(user.refused(&repository).await, timestamp_rollback(3, 2));

    repository.publish();
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// A key added beside the one in use resets nothing: what it signed is still well signed. Clients
/// that compare lists of keys lose their floors here (reference A.11).
#[tokio::test]
async fn added_key_lowers_no_floor() {
    let (mut repository, user) = seen_three().await;
    let keys = ["online", "online-2"].map(Key::ed25519);
    repository.rotate("timestamp", &keys, 1);
    repository.rotate("snapshot", &keys, 1);
    repository.publish_root();
    repository.rewind("snapshot", 2);
    repository.rewind("timestamp", 2);
    assert_eq!(user.refused(&repository).await, timestamp_rollback(3, 2));

    repository.publish();
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Indefinite freeze (TUF 1.5.2): a timestamp of the version already held, signed again with a later
/// expiry. What is held counts, and has expired (5.4.3.1, 5.4.4).
#[tokio::test]
async fn equal_timestamp_does_not_live_longer() {
    let (mut repository, user) = seen_three().await;
    repository.advance(Duration::days(2));
    repository.set_next_version("timestamp", 3);
    repository.publish_timestamp();
    let refused = user.refused(&repository).await;
    assert!(
        matches!(
            refused,
            Rejection::Expired {
                role: Role::Timestamp,
                ..
            }
        ),
        "{refused:?}"
    );

    repository.publish_timestamp();
    user.refresh(&repository).await.unwrap();
}

/// Fast-forward (TUF 1.5.2) of a developer's role, with his key and the online one. Rotating the
/// timestamp's key alone undoes it (5.3.11).
#[tokio::test]
async fn fast_forward_of_a_delegated_role_is_undone() {
    let mut repository = Simulator::standard();
    repository.rotate("timestamp", &[Key::ed25519("clock")], 1);
    repository.publish();
    let user = User::of(&repository);
    let greatest = metadata::Version::MAX;
    repository.set_next_version("project-alpha", greatest.get());
    repository.touch("project-alpha");
    repository.publish();
    user.refresh(&repository).await.unwrap();
    repository.rewind("project-alpha", 1);
    repository.touch("project-alpha");
    repository.publish();
    let expected = Rejection::Rollback {
        role: role("project-alpha"),
        trusted: greatest,
        found: v(2),
    };
    assert_eq!(user.refused(&repository).await, expected);

    repository.rotate("timestamp", &[Key::ed25519("clock-2")], 1);
    repository.publish();
    let session = user.refresh(&repository).await;
    countersign_tests::fails(session.is_ok(), "the versions of the thief stay for ever");
    user.download(&repository, files::CLAIMED).await.unwrap();
}

/// A recovery that is broken off between timestamp and snapshot leaves nothing of the thief's floors
/// to the update that follows (5.3.11: both are deleted, not only passed over).
#[tokio::test]
async fn recovery_broken_off_half_way() {
    let mut repository = Simulator::standard();
    repository.rotate("timestamp", &[Key::ed25519("clock")], 1);
    repository.publish();
    let user = User::of(&repository);
    repository.set_next_version("claimed", 9_000);
    repository.touch("claimed");
    repository.publish();
    user.refresh(&repository).await.unwrap();

    repository.rewind("claimed", 1);
    repository.rotate("timestamp", &[Key::ed25519("clock-2")], 1);
    repository.publish();
    repository
        .server()
        .bend("*.snapshot.json", Bend::Status(500));
    assert!(user.refresh(&repository).await.is_err());
    assert_eq!(
        user.kept("timestamp").unwrap(),
        repository.file("timestamp")
    );
    countersign_tests::fails(
        user.kept("snapshot").is_none(),
        "the thief's snapshot is a floor still",
    );

    repository.server().unbend();
    user.refresh(&repository).await.unwrap();
}

/// Indefinite freeze: the new root is withheld. The old one holds until it expires, and no longer
/// (5.3.10, 6.1).
#[tokio::test]
async fn withheld_root_freezes_no_longer_than_the_old_one_lives() {
    let mut repository = Simulator::bare();
    repository.set_lifetime("root", Duration::days(10));
    repository.set_lifetime("timestamp", Duration::days(100));
    repository.set_lifetime("snapshot", Duration::days(100));
    repository.publish();
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    repository.touch("root");
    repository.publish_root();
    repository
        .server()
        .bend("metadata/2.root.json", Bend::Status(404));
    repository.advance(Duration::days(9));
    user.refresh(&repository).await.unwrap();
    repository.advance(Duration::days(1));
    let refused = user.refused(&repository).await;
    assert!(
        matches!(
            refused,
            Rejection::Expired {
                role: Role::Root,
                ..
            }
        ),
        "{refused:?}"
    );
}

/// Indefinite freeze: an error in place of the next root is not the end of the chain (5.3.3): only
/// "not there" is, so that a server which fails cannot hold back a rotation.
#[tokio::test]
async fn error_in_place_of_the_next_root() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.rotate("targets", &[Key::ed25519("targets-2")], 1);
    repository.publish_root();
    for bend in [
        Bend::Status(500),
        Bend::Status(503),
        Bend::Refused,
        Bend::Broken(20),
    ] {
        repository
            .server()
            .bend("metadata/2.root.json", bend.clone());
        let stopped = user.stopped(&repository).await;
        assert!(
            matches!(stopped, client::ClientError::Transport { .. }),
            "{bend:?}: {stopped:?}"
        );
    }
    repository.server().unbend();
    repository.publish();
    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().root().version, v(2));
}
