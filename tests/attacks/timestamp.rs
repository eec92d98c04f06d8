//! Attacks on the timestamp (TUF 5.4).

use chrono::Duration;
use countersign_tests::{Bend, Key, Simulator, User};
use metadata::{Document, MetadataError, Role};
use trust::Rejection;

use crate::{ids, v};

/// Arbitrary software (TUF 1.5.2): a timestamp by a stranger (5.4.2).
#[tokio::test]
async fn timestamp_signed_by_a_stranger() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository
        .tamper("timestamp")
        .signed_by([&Key::ed25519("thief")]);
    repository.publish();
    let expected = Rejection::Signatures {
        role: Role::Timestamp,
        version: v(2),
        voucher: "root".to_owned(),
        threshold: 1,
        valid: vec![],
        missing: ids(repository.keys("timestamp")),
    };
    assert_eq!(user.refused(&repository).await, expected);
    assert_eq!(user.kept("timestamp"), None);

    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Arbitrary software: a timestamp changed after it was signed, by one character (5.4.2).
#[tokio::test]
async fn timestamp_changed_after_signing() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.server().bend(
        "metadata/timestamp.json",
        Bend::changed(|file| {
            let text = String::from_utf8(file).unwrap();
            assert!(text.contains("2030-01-02"));
            text.replace("2030-01-02", "2039-01-02").into_bytes()
        }),
    );
    let refused = user.refused(&repository).await;
    assert!(
        matches!(
            refused,
            Rejection::Signatures {
                role: Role::Timestamp,
                ..
            }
        ),
        "{refused:?}"
    );

    repository.server().unbend();
    user.refresh(&repository).await.unwrap();
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Rollback (TUF 1.5.2): an older timestamp than the one trusted (5.4.3.1).
#[tokio::test]
async fn timestamp_rolled_back() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.publish();
    user.refresh(&repository).await.unwrap();
    repository.rewind("timestamp", 1);
    let expected = Rejection::Rollback {
        role: Role::Timestamp,
        trusted: v(2),
        found: v(1),
    };
    assert_eq!(user.refused(&repository).await, expected);
    assert_eq!(
        user.kept("timestamp").unwrap(),
        repository.archived("timestamp", 2)
    );

    repository.rewind("timestamp", 2);
    user.refresh(&repository).await.unwrap();
}

/// Rollback: a newer timestamp that names an older snapshot (5.4.3.2), also where the client has
/// never had the newer snapshot itself.
#[tokio::test]
async fn timestamp_that_names_an_older_snapshot() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.publish();
    repository
        .server()
        .bend("*.snapshot.json", Bend::Status(404));
    assert!(user.refresh(&repository).await.is_err());
    assert_eq!(
        user.kept("timestamp").unwrap(),
        repository.file("timestamp")
    );
    assert_eq!(user.kept("snapshot"), None);

    repository.server().unbend();
    repository.rewind("snapshot", 1);
    repository.publish_timestamp();
    let expected = Rejection::Rollback {
        role: Role::Snapshot,
        trusted: v(2),
        found: v(1),
    };
    assert_eq!(user.refused(&repository).await, expected);

    repository.rewind("snapshot", 2);
    repository.publish_timestamp();
    user.refresh(&repository).await.unwrap();
}

/// Indefinite freeze (TUF 1.5.2): the last timestamp, served for ever (5.4.4).
#[tokio::test]
async fn timestamp_frozen_past_its_expiry() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    repository.advance(Duration::days(1));
    let (version, expires) = (v(1), repository.now);
    let expected = Rejection::Expired {
        role: Role::Timestamp,
        version,
        expires,
        now: expires,
    };
    assert_eq!(user.refused(&repository).await, expected);

    repository.publish_timestamp();
    user.refresh(&repository).await.unwrap();
}

/// An expired timestamp is not stored, so that it raises no floor (5.4.4, 5.4.5).
#[tokio::test]
async fn expired_timestamp_raises_no_floor() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    repository.set_next_version("timestamp", 9_000);
    repository.set_lifetime("timestamp", Duration::seconds(-1));
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
    assert_eq!(
        user.kept("timestamp").unwrap(),
        repository.archived("timestamp", 1)
    );

    repository.rewind("timestamp", 1);
    user.refresh(&repository).await.unwrap();
}

/// Endless data (TUF 1.5.2): a timestamp that never ends (5.4.1 X).
#[tokio::test]
async fn timestamp_without_end() {
    let repository = Simulator::standard();
    let user = User::of(&repository);
    repository
        .server()
        .bend("metadata/timestamp.json", Bend::Endless);
    let limit = user.rules.limits.timestamp;
    let expected = Rejection::TooLarge {
        role: Role::Timestamp,
        limit,
    };
    assert_eq!(user.refused(&repository).await, expected);
    assert!(repository.server().requests()[1].sent() <= limit + 16_384);

    repository.server().unbend();
    user.refresh(&repository).await.unwrap();
}

/// Wrong type: the snapshot, signed by the same key, served as timestamp (TUF 4.2.1 `_type`).
#[tokio::test]
async fn snapshot_served_as_timestamp() {
    let repository = Simulator::standard();
    let user = User::of(&repository);
    assert_eq!(repository.keys("snapshot"), repository.keys("timestamp"));
    let snapshot = repository.file("snapshot");
    repository
        .server()
        .bend("metadata/timestamp.json", Bend::replaced(snapshot));
    let source = MetadataError::DocumentType {
        expected: "timestamp",
        found: "snapshot".to_owned(),
    };
    let expected = Rejection::Malformed {
        role: Role::Timestamp,
        source,
    };
    assert_eq!(user.refused(&repository).await, expected);

    repository.server().unbend();
    user.refresh(&repository).await.unwrap();
}

/// Wrong type: a document that says it is a snapshot and would read as a timestamp, signed by the key
/// of both (TUF 4.2.1 `_type`).
#[tokio::test]
async fn snapshot_that_reads_as_a_timestamp() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository
        .tamper("timestamp")
        .json(|timestamp| timestamp["_type"] = "snapshot".into());
    repository.publish();
    let source = MetadataError::DocumentType {
        expected: "timestamp",
        found: "snapshot".to_owned(),
    };
    let role = Role::Timestamp;
    assert_eq!(
        user.refused(&repository).await,
        Rejection::Malformed { role, source }
    );

    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Fast-forward (TUF 1.5.2): a thief of the online key raises versions to the greatest there is. The
/// repository recovers with a root that names other keys (5.3.11).
#[tokio::test]
async fn fast_forward_is_undone_by_rotating_keys() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let greatest = metadata::Version::MAX;
    for role in ["snapshot", "timestamp"] {
        repository.set_next_version(role, greatest.get());
    }
    repository.publish();
    user.refresh(&repository).await.unwrap();
    for role in ["snapshot", "timestamp"] {
        repository.rewind(role, 1);
    }
    repository.publish();
    let expected = Rejection::Rollback {
        role: Role::Timestamp,
        trusted: greatest,
        found: v(2),
    };
    assert_eq!(user.refused(&repository).await, expected);

    for role in ["snapshot", "timestamp"] {
        repository.rotate(role, &[Key::ed25519("online-2")], 1);
    }
    repository.publish();
    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().timestamp().version(), v(3));
    assert_eq!(session.snapped().snapshot().version(), v(3));
}

/// Rotating either key drops both floors, of timestamp and snapshot, even where a file held from
/// before is still well signed (5.3.11).
#[tokio::test]
async fn rotating_either_key_drops_both_floors() {
    for rotated in ["timestamp", "snapshot"] {
        let mut repository = Simulator::standard();
        let user = User::of(&repository);
        repository.set_next_version("timestamp", 9_000);
        repository.set_next_version("snapshot", 9_000);
        repository.publish();
        user.refresh(&repository).await.unwrap();
        repository.set_next_version("timestamp", 2);
        repository.set_next_version("snapshot", 2);
        repository.unlist("claimed");
        repository.publish();
        let (trusted, found) = (v(9_000), v(2));
        let role = Role::Timestamp;
        let expected = Rejection::Rollback {
            role,
            trusted,
            found,
        };
        assert_eq!(user.refused(&repository).await, expected);

        repository.rotate(rotated, &[Key::ed25519("online-2")], 1);
        repository.set_next_version("timestamp", 2);
        repository.set_next_version("snapshot", 2);
        repository.publish();
        let session = user.refresh(&repository).await.unwrap();
        assert_eq!(session.snapped().timestamp().version(), v(2), "{rotated}");
        assert_eq!(session.snapped().snapshot().version(), v(2), "{rotated}");
    }
}

/// An equal version is not an error and keeps what is held, whatever else stands in it (5.4.3.1,
/// reference X9).
#[tokio::test]
async fn timestamp_of_equal_version_with_other_contents() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    repository.publish_snapshot();
    repository.set_next_version("timestamp", 1);
    repository.publish_timestamp();
    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().snapshot().version(), v(1));
    assert_ne!(
        user.kept("timestamp").unwrap(),
        repository.file("timestamp")
    );

    repository.publish_timestamp();
    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().snapshot().version(), v(2));
}
