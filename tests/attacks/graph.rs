//! Attacks on the graph of delegations: roles with two parents, too many roles, patterns that readers
//! understand differently, bins (TUF 4.5, 5.6.7, TAP 15).

use countersign_tests::{BinEncoding, Key, Simulator, User, fails, files, role};
use metadata::{MetadataError, Role, TargetPath};
use trust::{Answer, Failure, Rejection};

fn path(text: &str) -> TargetPath {
    TargetPath::parse(text).unwrap()
}

/// Two roles delegate to one name, each by keys of its own, for paths of its own: `shared` is signed
/// by the key that `left` lists.
fn two_parents() -> Simulator {
    let mut repository = Simulator::bare();
    for (parent, key, pattern) in [("left", "left", "l/*"), ("right", "right", "r/*")] {
        repository.delegate("targets", parent, &[Key::ed25519(parent)], &[pattern]);
        repository.delegate(parent, "shared", &[Key::ed25519(key)], &[pattern]);
    }
    repository
        .tamper("shared")
        .signed_by([&Key::ed25519("left")]);
    for file in ["l/file", "r/file"] {
        repository.add_target("shared", file, b"bytes");
    }
    repository.publish();
    repository
}

fn by_right(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed { role: of, why: Failure::Rejected(Rejection::Signatures { voucher, .. }) }
        if *of == role("shared") && voucher == "right")
}

/// Cache poisoning across delegators, in memory: a role accepted by one delegator's keys is not
/// accepted for another's (5.6.7; conformance
/// `test_cached_role_is_verified_against_current_delegator`).
#[tokio::test]
async fn role_accepted_by_one_delegator_is_not_anothers() {
    let repository = two_parents();
    let user = User::of(&repository);
    let session = user.refresh(&repository).await.unwrap();
    let left = session.find(&path("l/file")).await;
    assert!(matches!(left, Answer::Found(_)), "{left:?}");
    let right = session.find(&path("r/file")).await;
    fails(!matches!(right, Answer::Found(_)), &right);
    assert!(by_right(&right), "{right:?}");
}

/// The same by way of the disk: what one process stored another verifies by the keys of the delegator
/// it comes by.
#[tokio::test]
async fn role_stored_by_one_delegator_is_verified_for_another() {
    let repository = two_parents();
    let user = User::of(&repository);
    assert_eq!(user.role_of(&repository, "l/file").await, role("shared"));
    assert_eq!(user.kept("shared").unwrap(), repository.file("shared"));
    let right = user.find(&repository, "r/file").await;
    fails(!matches!(right, Answer::Found(_)), &right);
    assert!(by_right(&right), "{right:?}");
}

/// The same the other way round: a role refused for one delegator is still good for the other, so
/// that nobody can talk a project down by delegating to its name.
#[tokio::test]
async fn role_refused_for_one_delegator_still_serves_another() {
    let repository = two_parents();
    let user = User::of(&repository);
    let session = user.refresh(&repository).await.unwrap();
    let right = session.find(&path("r/file")).await;
    assert!(by_right(&right), "{right:?}");
    let left = session.find(&path("l/file")).await;
    fails(matches!(left, Answer::Found(_)), &left);
}

/// A role reached by two edges on the way to one path is walked once (5.6.7.1), by the edge that
/// comes first.
#[tokio::test]
async fn role_reached_by_two_edges_of_one_search() {
    let mut repository = Simulator::bare();
    for (parent, key) in [("first", "honest"), ("second", "thief")] {
        repository.delegate("targets", parent, &[Key::ed25519(parent)], &["a/*"]);
        repository.delegate(parent, "shared", &[Key::ed25519(key)], &["a/*"]);
    }
    repository.add_target("shared", "a/file", b"what a thief would like installed");
    repository
        .tamper("shared")
        .signed_by([&Key::ed25519("thief")]);
    repository.publish();
    let user = User::of(&repository);
    let answer = user.find(&repository, "a/file").await;
    fails(!matches!(answer, Answer::Found(_)), &answer);
    let by_first = matches!(&answer, Answer::Failed { why: Failure::Rejected(Rejection::Signatures { voucher, .. }), .. }
        if voucher == "first");
    assert!(by_first, "{answer:?}");

    repository
        .tamper("shared")
        .signed_by([&Key::ed25519("honest")]);
    repository.publish();
    assert_eq!(user.role_of(&repository, "a/file").await, role("shared"));
}

/// A terminating delegation further down ends the whole search, not only its own branch (4.5
/// TERMINATING, 5.6.7.2).
#[tokio::test]
async fn terminating_delegation_below_one_that_is_not() {
    let mut repository = Simulator::bare();
    let key = [Key::ed25519("some")];
    repository.delegate("targets", "outer", &key, &["a/*"]);
    repository
        .delegate("outer", "inner", &key, &["a/*"])
        .terminating = true;
    repository.delegate("targets", "later", &key, &["a/*"]);
    repository.add_target("later", "a/file", b"what a thief would like installed");
    repository.publish();
    let user = User::of(&repository);
    let answer = user.find(&repository, "a/file").await;
    fails(!matches!(answer, Answer::Found(_)), &answer);
    assert_eq!(answer, Answer::Terminated(role("inner")));
}

/// Endless data (TUF 1.5.2): more roles side by side than a search visits (5.6.7.1).
#[tokio::test]
async fn delegations_side_by_side_beyond_the_limit() {
    let mut repository = Simulator::bare();
    let key = [Key::ed25519("some")];
    for number in 0..40 {
        repository.delegate("targets", &format!("role-{number:02}"), &key, &["a/*"]);
    }
    repository.publish();
    let user = User::of(&repository);
    let answer = user.find(&repository, "a/file").await;
    let asked = repository.server().take_requests().len();
    fails(asked <= 4 + 32, asked);
    let why = Rejection::TooManyRoles {
        path: path("a/file"),
        limit: 32,
    };
    let why = Failure::Rejected(why);
    let role = role("role-32");
    assert_eq!(answer, Answer::Failed { role, why });
}

/// The role whose delegations are edited before it is signed, and what the client says.
async fn refused_delegations(
    edit: impl Fn(&mut serde_json::Value) + Send + 'static,
) -> MetadataError {
    let mut repository = Simulator::bare();
    for name in ["one", "two"] {
        repository.delegate("targets", name, &[Key::ed25519(name)], &["a/*"]);
        repository.add_target(name, "a/file", name.as_bytes());
    }
    repository.publish();
    let user = User::of(&repository).lenient();
    repository
        .tamper("targets")
        .json(move |targets| edit(&mut targets["delegations"]));
    repository.publish();
    let refused = user.refused(&repository).await;
    repository.publish();
    assert_eq!(user.download(&repository, "a/file").await.unwrap(), b"one");
    match refused {
        Rejection::Malformed {
            role: Role::Targets,
            source,
        } => source,
        other => panic!("{other:?}"),
    }
}

/// A delegation that says in two ways what it covers, or in none: readers choose differently (4.5:
/// exactly one of `paths` and `path_hash_prefixes`).
#[tokio::test]
async fn delegation_that_covers_in_two_ways() {
    let both = refused_delegations(|delegations| {
        delegations["roles"][1]["path_hash_prefixes"] = serde_json::json!(["00"]);
    });
    let neither = refused_delegations(|delegations| {
        delegations["roles"][1]
            .as_object_mut()
            .unwrap()
            .remove("paths");
    });
    let why = "needs exactly one of `paths` and `path_hash_prefixes`";
    let expected = MetadataError::member("delegations.roles.two", why);
    assert_eq!((both.await, neither.await), (expected.clone(), expected));
}

/// Two delegations to one name, by different keys (4.5: ROLENAME is unique): readers that keep a map
/// keep the last.
#[tokio::test]
async fn two_delegations_to_one_name() {
    let source = refused_delegations(|delegations| delegations["roles"][1]["name"] = "one".into());
    let reason = "stands twice among the delegations";
    let name = "one".to_owned();
    assert_eq!(source.await, MetadataError::RoleName { name, reason });
}

/// Bins listed and succinct at once (TAP 15: never both).
#[tokio::test]
async fn roles_listed_and_succinct_at_once() {
    let source = refused_delegations(|delegations| {
        let keyids = delegations["roles"][0]["keyids"].clone();
        delegations["succinct_roles"] = serde_json::json!(
            {"keyids": keyids, "threshold": 1, "bit_length": 1, "name_prefix": "bin"});
    });
    let why = "needs exactly one of `roles` and `succinct_roles`";
    assert_eq!(source.await, MetadataError::member("delegations", why));
}

/// Hash prefixes that are no lower-case hex: a reader that compares without case, or as numbers,
/// covers other paths than one that does not (4.5).
#[tokio::test]
async fn hash_prefixes_that_are_no_hex() {
    for bad in ["0A", "g", "0x", " 0", &"0".repeat(65)] {
        let prefixes = serde_json::json!([bad]);
        let source = refused_delegations(move |delegations| {
            let role = delegations["roles"][1].as_object_mut().unwrap();
            role.remove("paths");
            role.insert("path_hash_prefixes".into(), prefixes.clone());
        });
        let why = "has a hash prefix that is not lower-case hex";
        let expected = MetadataError::member("delegations.roles.two", why);
        assert_eq!(source.await, expected, "{bad}");
    }
}

/// Patterns with brackets, braces or backslashes, which one reader takes for letters and another for
/// sets (reference A.5).
#[tokio::test]
async fn patterns_that_readers_understand_differently() {
    for bad in ["a/[a-z]*", "a/{x,y}", "a/\\*", "caf\u{e9}/*", ""] {
        let source = refused_delegations(move |delegations| {
            delegations["roles"][1]["paths"] = serde_json::json!([bad]);
        });
        let source = source.await;
        let is_pattern = matches!(&source, MetadataError::PathPattern { .. });
        assert!(is_pattern, "{bad}: {source:?}");
    }
}

/// A wildcard that other readers stretch over folders: `**`, `?`, and a pattern shorter than the path
/// (4.5: a separator is not matched by a wildcard).
#[tokio::test]
async fn wildcards_that_other_readers_stretch() {
    for (pattern, not_covered) in [
        ("a/**", "a/b/file"),
        ("a?file", "a/file"),
        ("**", "a/file"),
        ("a/*", "a/b/c/file"),
    ] {
        let mut repository = Simulator::bare();
        repository.delegate("targets", "some", &[Key::ed25519("some")], &[pattern]);
        repository.add_target("some", not_covered, b"bytes");
        repository.publish();
        let user = User::of(&repository);
        let answer = user.find(&repository, not_covered).await;
        fails(!matches!(answer, Answer::Found(_)), (pattern, &answer));
        assert_eq!(answer, Answer::Unclaimed, "{pattern}");
    }
}

/// Case tricks: a pattern in other letters does not cover a path, so that a role delegated to for
/// `Packages/…` never speaks for `packages/…`.
#[tokio::test]
async fn pattern_in_other_letters() {
    let mut repository = Simulator::bare();
    for (name, pattern) in [("thief", "Packages/*"), ("honest", "packages/*")] {
        repository.delegate("targets", name, &[Key::ed25519(name)], &[pattern]);
        repository.add_target(name, "packages/file", name.as_bytes());
    }
    repository.publish();
    let user = User::of(&repository);
    let answer = user.role_of(&repository, "packages/file").await;
    fails(answer != role("thief"), &answer);
    assert_eq!(answer, role("honest"));
}

/// Succinct bins of no or of more bits than a hash index has (TAP 15: 1 to 32): the shift would be
/// out of range.
#[tokio::test]
async fn succinct_bins_of_impossible_numbers() {
    for bits in [0_u64, 33, 64, 1 << 32] {
        let mut repository = Simulator::with_bins(BinEncoding::Succinct);
        let user = User::of(&repository);
        repository.tamper("bins").json(move |bins| {
            bins["delegations"]["succinct_roles"]["bit_length"] = bits.into();
        });
        repository.publish();
        let refused = user.refused_file(&repository, files::PLAIN).await;
        let Rejection::Malformed { role: of, source } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(of, role("bins"));
        let is_member = matches!(&source, MetadataError::Member { .. });
        assert!(is_member, "{source:?}");
        repository.publish();
        user.download(&repository, files::PLAIN).await.unwrap();
    }
}

/// A path in another bin than its hash leads to: that bin is not asked, whoever signs it (4.5
/// `path_hash_prefixes`, TAP 15).
#[tokio::test]
async fn path_in_a_bin_it_does_not_belong_to() {
    for encoding in [BinEncoding::HashPrefixes, BinEncoding::Succinct] {
        let mut repository = Simulator::bare();
        repository.delegate_bins("targets", "bin", 2, encoding, &Key::ed25519("online"));
        repository.publish();
        let user = User::of(&repository);
        let own = repository.bin_of("targets", files::ABSENT);
        for bin in ["bin-0", "bin-1", "bin-2", "bin-3"] {
            if bin != own {
                repository.add_target(bin, files::ABSENT, b"in the wrong bin");
            }
        }
        repository.publish();
        let answer = user.find(&repository, files::ABSENT).await;
        fails(!matches!(answer, Answer::Found(_)), &answer);
        assert_eq!(answer, Answer::Unclaimed);

        repository.add_target(&own, files::ABSENT, b"in its own");
        repository.publish();
        assert_eq!(user.role_of(&repository, files::ABSENT).await, role(&own));
    }
}

/// Mix-and-match (TUF 1.5.2): one bin's file served as another's. Both are signed by one key, are of
/// one version and listed without hashes, so that nothing tells them apart; but a bin lists only its
/// own paths, so that nothing of another release can come of it: the path is not signed.
#[tokio::test]
async fn bin_served_as_another_bin() {
    let repository = Simulator::standard();
    let user = User::of(&repository);
    let own = repository.bin_of("bins", files::PLAIN);
    let other = ["bin-0", "bin-1"].into_iter().find(|bin| *bin != own);
    let bytes = repository.file(other.unwrap());
    repository.server().bend(
        &repository.name(&own),
        countersign_tests::Bend::replaced(bytes),
    );
    let answer = user.find(&repository, files::PLAIN).await;
    fails(!matches!(answer, Answer::Found(_)), &answer);
    assert_eq!(answer, Answer::Unclaimed);
    std::fs::remove_dir_all(user.datastore()).unwrap();

    repository.server().unbend();
    let user = User::of(&repository);
    assert_eq!(user.role_of(&repository, files::PLAIN).await, role(&own));
}
