//! Attacks on the snapshot (TUF 5.5).

use chrono::Duration;
use countersign_tests::{Bend, Key, Simulator, User, files, role};
use metadata::Role;
use trust::{Mismatch, Rejection};

use crate::{ids, v};

/// Arbitrary software (TUF 1.5.2): a snapshot by a stranger, under an honest timestamp (5.5.3).
#[tokio::test]
async fn snapshot_signed_by_a_stranger() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository
        .tamper("snapshot")
        .signed_by([&Key::ed25519("thief")]);
    repository.publish();
    let expected = Rejection::Signatures {
        role: Role::Snapshot,
        version: v(2),
        voucher: "root".to_owned(),
        threshold: 1,
        valid: vec![],
        missing: ids(repository.keys("snapshot")),
    };
    assert_eq!(user.refused(&repository).await, expected);
    assert_eq!(user.kept("snapshot"), None);

    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// A threshold of two met by one key that is listed under two key ids (TUF 5.3.4, TAP 12). The
/// strict dialect refuses such a root; the lenient one counts the key once.
#[tokio::test]
async fn threshold_met_by_one_key_under_two_ids() {
    let mut repository = Simulator::standard();
    let (strict, user) = (User::of(&repository), User::of(&repository).lenient());
    let (one, two) = (Key::ed25519("one"), Key::ed25519("two"));
    let again = one.under_id("another-id");
    repository.rotate("snapshot", &[one.clone(), again.clone(), two.clone()], 2);
    repository.tamper("snapshot").signed_by([&one, &again]);
    repository.publish();
    let expected = Rejection::Signatures {
        role: Role::Snapshot,
        version: v(2),
        voucher: "root".to_owned(),
        threshold: 2,
        valid: ids(std::slice::from_ref(&one)),
        missing: ids(std::slice::from_ref(&two)),
    };
    assert_eq!(user.refused(&repository).await, expected);
    let refused = strict.refused(&repository).await;
    assert!(
        matches!(
            refused,
            Rejection::NotStrict {
                role: Role::Root,
                ..
            }
        ),
        "{refused:?}"
    );

    repository.tamper("snapshot").signed_by([&again, &two]);
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// A threshold of two met by one signature listed twice (TUF 4.2.1: no key id twice).
#[tokio::test]
async fn threshold_met_by_one_signature_listed_twice() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let keys = [Key::ed25519("one"), Key::ed25519("two")];
    repository.rotate("snapshot", &keys, 2);
    repository
        .tamper("snapshot")
        .signatures(|listed| listed[1] = listed[0].clone());
    repository.publish();
    let source = metadata::MetadataError::member("signatures", "names one keyid twice");
    let expected = Rejection::Malformed {
        role: Role::Snapshot,
        source,
    };
    assert_eq!(user.refused(&repository).await, expected);

    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Mix-and-match (TUF 1.5.2): other bytes of the version that the timestamp names, well signed
/// (5.5.2).
#[tokio::test]
async fn snapshot_of_the_right_version_with_other_bytes() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.publish_snapshot();
    let other = repository.file("snapshot");
    repository.set_next_version("snapshot", 2);
    repository.set_lifetime("snapshot", Duration::days(6));
    repository.publish();
    assert_eq!(other.len(), repository.file("snapshot").len());
    repository
        .server()
        .bend(&repository.name("snapshot"), Bend::replaced(other));
    let expected = Rejection::ContentMismatch {
        role: Role::Snapshot,
        version: v(2),
        voucher: Role::Timestamp,
        why: Mismatch::Hash,
    };
    assert_eq!(user.refused(&repository).await, expected);

    repository.server().unbend();
    user.refresh(&repository).await.unwrap();
}

/// Mix-and-match: an older snapshot under the name of the new one, where the timestamp lists only
/// the version (5.5.4).
#[tokio::test]
async fn snapshot_of_another_version_under_its_name() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.tamper("timestamp").json(|timestamp| {
        let listed = timestamp["meta"]["snapshot.json"].as_object_mut().unwrap();
        listed.retain(|member, _| member == "version");
    });
    repository.publish();
    let old = repository.archived("snapshot", 1);
    repository
        .server()
        .bend(&repository.name("snapshot"), Bend::replaced(old));
    let expected = Rejection::VersionMismatch {
        role: Role::Snapshot,
        listed: v(2),
        found: v(1),
    };
    assert_eq!(user.refused(&repository).await, expected);

    repository.server().unbend();
    user.refresh(&repository).await.unwrap();
}

/// Rollback (TUF 1.5.2): a thief of the online key lists an older version of an offline role
/// (5.5.5).
#[tokio::test]
async fn targets_role_rolled_back_in_the_snapshot() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.remove_target("project-alpha", files::CLAIMED);
    repository.publish();
    user.refresh(&repository).await.unwrap();
    repository.rewind("project-alpha", 1);
    repository.publish_snapshot();
    repository.publish_timestamp();
    let alpha = role("project-alpha");
    let expected = Rejection::Rollback {
        role: alpha,
        trusted: v(2),
        found: v(1),
    };
    assert_eq!(user.refused(&repository).await, expected);
    assert_eq!(
        user.kept("snapshot").unwrap(),
        repository.archived("snapshot", 2)
    );

    repository.rewind("project-alpha", 2);
    repository.publish_snapshot();
    repository.publish_timestamp();
    user.refresh(&repository).await.unwrap();
}

/// Rollback: a role that was listed is listed no more (5.5.5).
#[tokio::test]
async fn role_dropped_from_the_snapshot() {
    let mut repository = Simulator::standard();
    let (user, newcomer) = (User::of(&repository), User::of(&repository));
    user.refresh(&repository).await.unwrap();
    repository.unlist("claimed");
    repository.publish();
    let metapath = "claimed.json".to_owned();
    let expected = Rejection::RoleDropped {
        version: v(2),
        metapath,
    };
    assert_eq!(user.refused(&repository).await, expected);

    newcomer.refresh(&repository).await.unwrap();
    repository.rotate("snapshot", &[Key::ed25519("online-2")], 1);
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Indefinite freeze (TUF 1.5.2): a snapshot past its expiry under a fresh timestamp (5.5.6).
#[tokio::test]
async fn snapshot_frozen_past_its_expiry() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    repository.advance(Duration::days(7));
    repository.publish_timestamp();
    let (version, expires) = (v(1), repository.now);
    let expected = Rejection::Expired {
        role: Role::Snapshot,
        version,
        expires,
        now: expires,
    };
    assert_eq!(user.refused(&repository).await, expected);
    assert_eq!(User::of(&repository).refused(&repository).await, expected);

    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Endless data (TUF 1.5.2): a snapshot that goes on after its listed length (5.5.1), and one whose
/// length is not listed.
#[tokio::test]
async fn snapshot_without_end() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let unlisted_limit = user.rules.limits.snapshot;
    let length = repository.file("snapshot").len() as u64;
    repository.server().bend("*.snapshot.json", Bend::Endless);
    let too_large = |limit| Rejection::TooLarge {
        role: Role::Snapshot,
        limit,
    };
    assert_eq!(user.refused(&repository).await, too_large(length));

    repository.tamper("timestamp").json(|timestamp| {
        let listed = timestamp["meta"]["snapshot.json"].as_object_mut().unwrap();
        listed.remove("length");
    });
    repository.publish_timestamp();
    assert_eq!(user.refused(&repository).await, too_large(unlisted_limit));
    let sent = repository.server().requests().last().unwrap().sent();
    assert!(sent <= unlisted_limit + 16_384, "{sent}");

    repository.server().unbend();
    user.refresh(&repository).await.unwrap();
}

/// A later step that fails costs no earlier one: the new timestamp is kept when its snapshot is
/// withheld, the snapshot when its targets are (TUF 5 "persist").
#[tokio::test]
async fn progress_before_a_failure_is_kept() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    repository.touch("targets");
    repository.publish();
    let kept = |name: &str, version| user.kept(name).unwrap() == repository.archived(name, version);
    repository
        .server()
        .bend("*.snapshot.json", Bend::Status(404));
    assert!(user.refresh(&repository).await.is_err());
    assert!(kept("timestamp", 2) && kept("snapshot", 1) && kept("targets", 1));

    repository.server().unbend();
    repository
        .server()
        .bend("*.targets.json", Bend::Broken(100));
    assert!(user.refresh(&repository).await.is_err());
    assert!(kept("timestamp", 2) && kept("snapshot", 2) && kept("targets", 1));

    repository.server().unbend();
    user.refresh(&repository).await.unwrap();
    assert!(kept("targets", 2));
}
