//! Attacks on the root chain (TUF 5.3).

use chrono::Duration;
use countersign_tests::{Bend, Key, Simulator, User};
use metadata::{Document, KeyId, Role};
use trust::Rejection;

use crate::{ids, v};

fn thief() -> Key {
    Key::ed25519("thief")
}

/// Has the next root give top-level `targets` to a thief.
fn handed_to_a_thief() -> Simulator {
    let mut repository = Simulator::standard();
    repository.rotate("targets", &[thief()], 1);
    repository
}

fn root_signatures(voucher: &str, valid: Vec<KeyId>, missing: Vec<KeyId>) -> Rejection {
    let (role, voucher) = (Role::Root, voucher.to_owned());
    Rejection::Signatures {
        role,
        version: v(2),
        voucher,
        threshold: 2,
        valid,
        missing,
    }
}

/// Arbitrary software (TUF 1.5.2): a root that nobody of the old root has signed (5.3.4).
#[tokio::test]
async fn root_signed_by_a_stranger() {
    let mut repository = handed_to_a_thief();
    let user = User::of(&repository);
    repository.tamper("root").signed_by([&thief()]);
    repository.publish();
    let refused = user.refused(&repository).await;
    let missing = ids(repository.keys("root"));
    assert_eq!(
        refused,
        root_signatures("the previous root", vec![], missing)
    );
    assert_eq!(user.kept("root").unwrap(), repository.archived("root", 1));

    repository.publish();
    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().root().version(), v(2));
}

/// Key compromise (TUF 1.5.2): one stolen key of a threshold of two (5.3.4).
#[tokio::test]
async fn root_signed_by_one_stolen_key() {
    let mut repository = handed_to_a_thief();
    let user = User::of(&repository);
    let keys = repository.keys("root").to_vec();
    repository.tamper("root").signed_by([&keys[0], &thief()]);
    repository.publish();
    let expected = root_signatures("the previous root", ids(&keys[..1]), ids(&keys[1..]));
    assert_eq!(user.refused(&repository).await, expected);

    repository.tamper("root").signed_by(&keys[1..]);
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// A new root signed only by the old keys, or only by its own (5.3.4: both have to).
#[tokio::test]
async fn root_signed_by_one_generation_only() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let old = repository.keys("root").to_vec();
    let new = [thief(), Key::ed25519("another")];
    repository.rotate("root", &new, 2);
    for (signers, voucher, missing) in [
        (&old[..], "the root itself", ids(&new)),
        (&new[..], "the previous root", ids(&old)),
    ] {
        repository.tamper("root").signed_by(signers);
        repository.publish();
        let refused = user.refused(&repository).await;
        assert_eq!(refused, root_signatures(voucher, vec![], missing));
    }
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Rollback (TUF 1.5.2): root versions go up by exactly one (5.3.5).
#[tokio::test]
async fn root_of_another_version_than_the_next() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    for found in [1, 3] {
        repository
            .tamper("root")
            .json(move |root| root["version"] = found.into());
        repository.publish();
        let expected = Rejection::RootOutOfOrder {
            expected: v(2),
            found: v(found),
        };
        assert_eq!(user.refused(&repository).await, expected);
    }
    repository
        .tamper("root")
        .json(|root| root["version"] = 2.into());
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Indefinite freeze (TUF 1.5.2): a repository whose newest root has expired (5.3.10). The root is
/// kept all the same, so that the next one can be followed.
#[tokio::test]
async fn root_frozen_past_its_expiry() {
    let mut repository = handed_to_a_thief();
    let user = User::of(&repository);
    repository.set_lifetime("root", Duration::hours(1));
    repository.publish();
    repository.advance(Duration::hours(1));
    let expires = repository.now;
    let expected = Rejection::Expired {
        role: Role::Root,
        version: v(2),
        expires,
        now: expires,
    };
    assert_eq!(user.refused(&repository).await, expected);
    assert_eq!(user.kept("root").unwrap(), repository.file("root"));

    repository.advance(Duration::seconds(-1));
    user.refresh(&repository).await.unwrap();
}

/// Endless data (TUF 1.5.2): a root that never ends (5.3.3 W).
#[tokio::test]
async fn root_without_end() {
    let mut repository = handed_to_a_thief();
    let user = User::of(&repository);
    repository.publish();
    repository
        .server()
        .bend("metadata/2.root.json", Bend::Endless);
    let limit = user.rules.limits.root;
    let expected = Rejection::TooLarge {
        role: Role::Root,
        limit,
    };
    assert_eq!(user.refused(&repository).await, expected);
    assert!(repository.server().requests()[0].sent() <= limit + 16_384);

    repository.server().unbend();
    user.refresh(&repository).await.unwrap();
}

/// Endless data: more new roots than one update follows (5.3.3 Y). The update goes on with the last
/// one followed, which is kept, so that the next update goes on from there.
#[tokio::test]
async fn roots_without_end() {
    let mut repository = Simulator::standard();
    let mut user = User::of(&repository);
    user.rules.limits.root_rotations = 3;
    for generation in 2..=6 {
        let keys = [1, 2].map(|n| Key::ed25519(&format!("root-{generation}-{n}")));
        repository.rotate("root", &keys, 2);
        repository.publish_root();
    }
    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().root().version(), v(4));
    assert_eq!(user.kept("root").unwrap(), repository.archived("root", 4));
    let asked = repository.server().take_requests();
    let roots = [
        "2.root.json",
        "3.root.json",
        "4.root.json",
        "timestamp.json",
    ];
    assert_eq!(asked[..4], roots.map(|name| format!("metadata/{name}")));

    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().root().version(), v(6));
}

/// A trusted root that its own keys have not signed is refused before anything is asked for
/// (5.2, and the conformance contract).
#[tokio::test]
async fn trusted_root_that_nobody_signed() {
    let mut repository = Simulator::bare();
    repository.tamper("root").signed_by([&thief()]);
    repository.publish();
    let forged = repository.server().file("metadata/1.root.json").unwrap();
    repository.publish();
    let user = User::of(&repository);
    user.trust(&forged);
    let refused = user.refused(&repository).await;
    assert!(
        matches!(
            refused,
            Rejection::Signatures {
                role: Role::Root,
                ..
            }
        ),
        "{refused:?}"
    );
    assert_eq!(repository.server().take_requests(), Vec::<String>::new());

    user.trust(&repository.archived("root", 1));
    user.refresh(&repository).await.unwrap();
}
