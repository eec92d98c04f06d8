//! Attacks on the search for who speaks for a path (TUF 4.5, 5.6.7).

use countersign_tests::{BinEncoding, Key, Simulator, User, files, rejection, role};
use metadata::TargetPath;
use trust::{Answer, Failure, Rejection};

use crate::{ids, v};

/// Wrong software (TUF 1.5.2): a role lists a path that was not delegated to it (4.5 PATHPATTERN).
/// It is not even asked.
#[tokio::test]
async fn role_speaks_outside_its_paths() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.add_target(
        "project-alpha",
        files::PLAIN,
        b"what a thief would like installed",
    );
    repository.publish();
    let bin = repository.bin_of("bins", files::PLAIN);
    assert_eq!(user.role_of(&repository, files::PLAIN).await, role(&bin));
    let asked = repository.server().take_requests();
    assert!(
        !asked.contains(&repository.name("project-alpha")),
        "{asked:?}"
    );

    repository.delegate(
        "targets",
        "first",
        &[Key::ed25519("alpha")],
        &["elsewhere/*"],
    );
    repository.add_target("first", files::OUTSIDE, b"bytes");
    repository.publish();
    assert_eq!(
        user.role_of(&repository, files::OUTSIDE).await,
        role("first")
    );
}

/// Wrong software: a path has to be covered by every delegation on the way, not only by the last
/// (4.5: the whole chain).
#[tokio::test]
async fn role_delegates_more_than_it_has() {
    let mut repository = Simulator::bare();
    let key = [Key::ed25519("middle")];
    repository.delegate("targets", "middle", &key, &["narrow/*"]);
    repository.delegate("middle", "leaf", &key, &["narrow/*", "wide/*"]);
    repository.add_target("leaf", "narrow/file", b"one");
    repository.add_target("leaf", "wide/file", b"two");
    repository.publish();
    let user = User::of(&repository);
    assert_eq!(user.find(&repository, "wide/file").await, Answer::Unclaimed);
    assert_eq!(user.role_of(&repository, "narrow/file").await, role("leaf"));
}

/// A wildcard does not cross a `/` (4.5 PATHPATTERN).
#[tokio::test]
async fn wildcard_does_not_cross_folders() {
    let mut repository = Simulator::bare();
    repository.delegate("targets", "some", &[Key::ed25519("some")], &["a/*"]);
    for path in ["a/file", "a/b/file"] {
        repository.add_target("some", path, b"bytes");
    }
    repository.publish();
    let user = User::of(&repository);
    assert_eq!(user.find(&repository, "a/b/file").await, Answer::Unclaimed);
    assert_eq!(user.role_of(&repository, "a/file").await, role("some"));
}

/// Key compromise of the online key: what a terminating role does not list nobody after it may
/// (4.5 TERMINATING, reference F29).
#[tokio::test]
async fn terminating_delegation_does_not_fall_through() {
    for encoding in [BinEncoding::HashPrefixes, BinEncoding::Succinct] {
        let mut repository = Simulator::with_bins(encoding);
        let user = User::of(&repository);
        let bin = repository.bin_of("bins", files::CLAIMED_ABSENT);
        repository.add_target(
            &bin,
            files::CLAIMED_ABSENT,
            b"what a thief would like installed",
        );
        repository.publish();
        let answer = user.find(&repository, files::CLAIMED_ABSENT).await;
        assert_eq!(answer, Answer::Terminated(role("project-alpha")));

        let delegations = repository.delegations("claimed");
        let metadata::DelegatedRoles::Listed(roles) = &mut delegations.roles else {
            panic!()
        };
        roles[0].terminating = false;
        repository.publish();
        assert_eq!(
            user.role_of(&repository, files::CLAIMED_ABSENT).await,
            role(&bin)
        );
    }
}

/// Of two roles that list one path the one delegated to first answers, a delegator before both
/// (4.5: order, pre-order).
#[tokio::test]
async fn later_delegation_does_not_override_an_earlier_one() {
    let mut repository = Simulator::bare();
    for name in ["first", "second"] {
        repository.delegate("targets", name, &[Key::ed25519(name)], &["a/*"]);
        repository.add_target(name, "a/file", name.as_bytes());
    }
    repository.publish();
    let user = User::of(&repository);
    assert_eq!(
        user.download(&repository, "a/file").await.unwrap(),
        b"first"
    );
    repository.remove_target("first", "a/file");
    repository.publish();
    assert_eq!(
        user.download(&repository, "a/file").await.unwrap(),
        b"second"
    );
    repository.add_target("targets", "a/file", b"targets");
    repository.publish();
    assert_eq!(
        user.download(&repository, "a/file").await.unwrap(),
        b"targets"
    );
}

/// Endless data (TUF 1.5.2): roles that delegate to each other in a circle (5.6.7.1). Each is asked
/// for once, and the search goes on after them.
#[tokio::test]
async fn delegations_in_a_circle() {
    let mut repository = Simulator::bare();
    let key = [Key::ed25519("circle")];
    for (from, to) in [
        ("targets", "one"),
        ("one", "two"),
        ("two", "one"),
        ("two", "two"),
        ("targets", "last"),
    ] {
        repository.delegate(from, to, &key, &["a/*"]);
    }
    repository.add_target("last", "a/file", b"bytes");
    repository.publish();
    let user = User::of(&repository);
    assert_eq!(user.find(&repository, "a/absent").await, Answer::Unclaimed);
    let asked = repository.server().take_requests();
    assert_eq!(
        asked[4..],
        ["one", "two", "last"].map(|name| format!("metadata/1.{name}.json"))
    );
    assert_eq!(user.role_of(&repository, "a/file").await, role("last"));
}

/// Endless data: a chain of more roles than a search visits (5.6.7.1).
#[tokio::test]
async fn delegations_deeper_than_the_limit() {
    let mut repository = Simulator::bare();
    let key = [Key::ed25519("chain")];
    let mut from = "targets".to_owned();
    for depth in 1..=33 {
        let to = format!("depth-{depth}");
        repository.delegate(&from, &to, &key, &["a/*"]);
        repository.add_target(&to, &format!("a/{depth}"), b"bytes");
        from = to;
    }
    repository.publish();
    let user = User::of(&repository);
    assert_eq!(user.rules.limits.delegations, 32);
    assert_eq!(user.role_of(&repository, "a/32").await, role("depth-32"));
    let why = Rejection::TooManyRoles {
        path: TargetPath::parse("a/33").unwrap(),
        limit: 32,
    };
    let why = Failure::Rejected(why);
    let expected = Answer::Failed {
        role: role("depth-33"),
        why,
    };
    assert_eq!(user.find(&repository, "a/33").await, expected);
    let asked = repository.server().take_requests();
    assert!(
        !asked.contains(&"metadata/1.depth-33.json".to_owned()),
        "{asked:?}"
    );
}

/// A role that the snapshot does not list is current in no version: it is not asked for, and what it
/// may have said is not left to others (5.6.7, conformance).
#[tokio::test]
async fn role_that_the_snapshot_does_not_list() {
    let mut repository = Simulator::standard();
    repository.unlist("project-alpha");
    let (user, before) = (User::of(&repository), User::of(&repository));
    before.refresh(&repository).await.unwrap();
    assert_eq!(
        before.role_of(&repository, files::CLAIMED).await,
        role("project-alpha")
    );
    repository.publish();
    let alpha = role("project-alpha");
    let why = Rejection::NotListed {
        role: alpha.clone(),
        snapshot: v(2),
    };
    let expected = Answer::Failed {
        role: alpha,
        why: why.into(),
    };
    repository.server().take_requests();
    assert_eq!(user.find(&repository, files::CLAIMED).await, expected);
    let asked = repository.server().take_requests();
    assert!(
        !asked.contains(&repository.name("project-alpha")),
        "{asked:?}"
    );
}

/// A role kept from before is verified by the keys that its delegator lists now (conformance
/// `test_cached_role_is_verified_against_current_delegator`).
#[tokio::test]
async fn kept_role_by_keys_that_were_revoked() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    assert_eq!(
        user.role_of(&repository, files::CLAIMED).await,
        role("project-alpha")
    );
    let stolen = repository.keys("project-alpha").to_vec();
    let new = [Key::ed25519("alpha-2")];
    repository.rotate("project-alpha", &new, 1);
    repository.tamper("project-alpha").signed_by(&stolen);
    repository.set_next_version("project-alpha", 1);
    repository.publish();
    assert_eq!(
        repository.file("project-alpha"),
        repository.archived("project-alpha", 1)
    );
    let error = user
        .download(&repository, files::CLAIMED)
        .await
        .unwrap_err();
    let expected = Rejection::Signatures {
        role: role("project-alpha"),
        version: v(1),
        voucher: "claimed".to_owned(),
        threshold: 1,
        valid: vec![],
        missing: ids(&new),
    };
    assert_eq!(rejection(error), expected);

    repository.publish();
    user.download(&repository, files::CLAIMED).await.unwrap();
}
