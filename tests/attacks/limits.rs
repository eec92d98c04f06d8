//! Endless data (TUF 1.5.2) where a signature vouches for it: lengths and numbers that a stolen or
//! careless key has signed are held to limits as well (TUF 5.3.3, 5.5.1, 5.6.1).

use countersign_tests::{Bend, Listing, Simulator, User, fails, files, role};
use metadata::Role;
use trust::Rejection;

use crate::v;

/// 10,000 new roots, each of them well signed: one update follows so many and no more, and the next
/// goes on from there.
#[tokio::test]
async fn ten_thousand_roots() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    for _ in 0..10_000 {
        repository.touch("root");
        repository.publish_root();
    }
    let limit = user.rules.limits.root_rotations;
    assert_eq!(limit, 256);
    let session = user.refresh(&repository).await.unwrap();
    let roots = |asked: Vec<String>| {
        asked
            .iter()
            .filter(|name| name.ends_with(".root.json"))
            .count()
    };
    let asked = roots(repository.server().take_requests());
    fails(asked <= limit as usize, asked);
    assert_eq!(session.snapped().root().version, v(257));
    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().root().version, v(513));
}

/// A timestamp that lists a snapshot of a petabyte: what is listed does not lift the limit for any
/// file.
#[tokio::test]
async fn snapshot_of_a_petabyte() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.tamper("timestamp").json(|timestamp| {
        timestamp["meta"]["snapshot.json"]["length"] = (1_u64 << 50).into();
    });
    repository.publish();
    repository.server().bend("*.snapshot.json", Bend::Endless);
    let stopped = user.stopped(&repository).await;
    let limit = user.rules.limits.listed;
    let sent = repository.server().requests().last().unwrap().sent();
    fails(sent <= limit + 16_384, sent);
    let expected = Rejection::TooLarge {
        role: Role::Snapshot,
        limit,
    };
    assert_eq!(countersign_tests::rejection(stopped), expected);

    repository.server().unbend();
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// A snapshot that lists a role of a petabyte.
#[tokio::test]
async fn role_of_a_petabyte() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.set_listing("claimed", Listing::Full);
    repository.tamper("snapshot").json(|snapshot| {
        snapshot["meta"]["claimed.json"]["length"] = (1_u64 << 50).into();
    });
    repository.publish();
    repository.server().bend("*.claimed.json", Bend::Endless);
    let stopped = user
        .download(&repository, files::CLAIMED)
        .await
        .unwrap_err();
    let limit = user.rules.limits.listed;
    let sent = repository.server().requests().last().unwrap().sent();
    fails(sent <= limit + 16_384, sent);
    let expected = Rejection::TooLarge {
        role: role("claimed"),
        limit,
    };
    assert_eq!(countersign_tests::rejection(stopped), expected);

    repository.server().unbend();
    repository.publish();
    user.download(&repository, files::CLAIMED).await.unwrap();
}

/// A snapshot without the top-level targets role: no version of it is current (5.6; "presence of
/// `targets.json`" is an open change to the specification).
#[tokio::test]
async fn snapshot_without_the_top_level_targets() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.unlist("targets");
    repository.publish();
    let expected = Rejection::NotListed {
        role: Role::Targets,
        snapshot: v(2),
    };
    assert_eq!(user.refused(&repository).await, expected);
    let asked = repository.server().take_requests();
    fails(
        !asked.iter().any(|name| name.ends_with(".targets.json")),
        &asked,
    );

    let honest = Simulator::standard();
    User::of(&honest).refresh(&honest).await.unwrap();
}

/// A length that is one byte short of the file: what is listed is exact, not a limit (5.5.2).
#[tokio::test]
async fn role_shorter_than_listed() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.set_listing("claimed", Listing::Full);
    repository.tamper("snapshot").json(|snapshot| {
        let listed = &mut snapshot["meta"]["claimed.json"];
        let length = listed["length"].as_u64().unwrap();
        listed["length"] = (length + 1).into();
        listed.as_object_mut().unwrap().remove("hashes");
    });
    repository.publish();
    let refused = user.refused_file(&repository, files::CLAIMED).await;
    let length = repository.file("claimed").len() as u64;
    let expected = Rejection::ContentMismatch {
        role: role("claimed"),
        version: v(1),
        voucher: Role::Snapshot,
        why: trust::Mismatch::Length {
            listed: length + 1,
            found: length,
        },
    };
    assert_eq!(refused, expected);

    repository.publish();
    user.download(&repository, files::CLAIMED).await.unwrap();
}
