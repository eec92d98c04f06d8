//! Attacks on targets roles, top-level and delegated (TUF 5.6).

use chrono::Duration;
use countersign_tests::{Bend, Key, Listing, Simulator, User, fails, files, rejection, role};
use metadata::Role;
use trust::{Answer, Failure, Mismatch, Rejection};

use crate::{ids, v};

/// Arbitrary software (TUF 1.5.2): the online key lists top-level targets that a stranger signed
/// (5.6.3).
#[tokio::test]
async fn targets_signed_by_a_stranger() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository
        .tamper("targets")
        .signed_by([&Key::ed25519("thief")]);
    repository.publish();
    let expected = Rejection::Signatures {
        role: Role::Targets,
        version: v(2),
        voucher: "root".to_owned(),
        threshold: 1,
        valid: vec![],
        missing: ids(repository.keys("targets")),
    };
    assert_eq!(user.refused(&repository).await, expected);
    assert_eq!(user.kept("targets"), None);

    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Arbitrary software: the online key, which signs bins, cannot sign for a developer (5.6.7: the
/// delegator's keys count, and no others).
#[tokio::test]
async fn project_signed_by_the_online_key() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.add_target(
        "project-alpha",
        files::CLAIMED,
        b"what a thief would like installed",
    );
    repository
        .tamper("project-alpha")
        .signed_by([&Key::ed25519("online")]);
    repository.publish();
    let error = user
        .download(&repository, files::CLAIMED)
        .await
        .unwrap_err();
    let expected = Rejection::Signatures {
        role: role("project-alpha"),
        version: v(2),
        voucher: "claimed".to_owned(),
        threshold: 1,
        valid: vec![],
        missing: ids(repository.keys("project-alpha")),
    };
    assert_eq!(rejection(error), expected);
    assert_eq!(user.kept("project-alpha"), None);

    repository.add_target(
        "project-alpha",
        files::CLAIMED,
        b"what the developer released",
    );
    repository.publish();
    let bytes = user.download(&repository, files::CLAIMED).await.unwrap();
    assert_eq!(bytes, b"what the developer released");
}

/// Mix-and-match (TUF 1.5.2): an older role file under the name of the one listed, where the
/// snapshot lists its version alone (5.6.4) and where it lists a hash (5.6.2).
#[tokio::test]
async fn role_of_another_version_under_its_name() {
    for listing in [Listing::Version, Listing::Hash] {
        let mut repository = Simulator::standard();
        let user = User::of(&repository);
        for name in ["targets", "project-alpha"] {
            repository.set_listing(name, listing);
            repository.touch(name);
        }
        repository.publish();
        for name in ["targets", "project-alpha"] {
            let role = role(name);
            let old = repository.archived(name, 1);
            repository
                .server()
                .bend(&repository.name(name), Bend::replaced(old));
            let expected = match listing {
                Listing::Version => Rejection::VersionMismatch {
                    role,
                    listed: v(2),
                    found: v(1),
                },
                _ => Rejection::ContentMismatch {
                    role,
                    version: v(2),
                    voucher: Role::Snapshot,
                    why: Mismatch::Hash,
                },
            };
            let error = user
                .download(&repository, files::CLAIMED)
                .await
                .unwrap_err();
            assert_eq!(rejection(error), expected);
            repository.server().unbend();
        }
        user.download(&repository, files::CLAIMED).await.unwrap();
    }
}

/// Mix-and-match: a developer's stolen key signs other bytes of a version that is published. Where
/// the snapshot lists a hash they are refused (5.6.2, DESIGN 4).
#[tokio::test]
async fn published_version_signed_again_with_other_contents() {
    let mut repository = Simulator::standard();
    let (user, newcomer) = (User::of(&repository), User::of(&repository));
    let honest = repository.file("project-alpha");
    repository.add_target(
        "project-alpha",
        files::CLAIMED,
        b"what a thief would like installed",
    );
    repository.set_next_version("project-alpha", 1);
    repository.publish();
    let forged = repository.file("project-alpha");
    assert_ne!(forged, honest);
    // The snapshot from before, with the forged file under the honest one's name.
    repository.rewind("snapshot", 1);
    repository.rewind("timestamp", 1);
    let error = user
        .download(&repository, files::CLAIMED)
        .await
        .unwrap_err();
    let version = v(1);
    let expected = Rejection::ContentMismatch {
        role: role("project-alpha"),
        version,
        voucher: Role::Snapshot,
        why: Mismatch::Hash,
    };
    assert_eq!(rejection(error), expected);

    repository
        .server()
        .put("metadata/1.project-alpha.json", honest);
    let bytes = newcomer
        .download(&repository, files::CLAIMED)
        .await
        .unwrap();
    assert_eq!(bytes, files::content(files::CLAIMED));
}

/// Mix-and-match where the snapshot lists versions alone: a stolen project key and a server swap the bytes
/// of a published version. Whoever has seen that version keeps what was seen. Nothing protects others,
/// which is why an index of ours lists the hash of every role of another key (DESIGN 4).
#[tokio::test]
async fn published_version_swapped_where_versions_alone_are_listed() {
    let mut repository = Simulator::standard();
    repository.set_listing("project-alpha", Listing::Version);
    repository.publish();
    let (user, newcomer) = (User::of(&repository), User::of(&repository));
    let honest = files::content(files::CLAIMED);
    let bytes = user.download(&repository, files::CLAIMED).await.unwrap();
    assert_eq!(bytes, honest);
    let [project, snapshot, timestamp] =
        ["project-alpha", "snapshot", "timestamp"].map(|role| repository.version(role).get());
    repository.add_target("project-alpha", files::CLAIMED, b"a thief's");
    repository.set_next_version("project-alpha", project);
    repository.publish();
    repository.rewind("snapshot", snapshot);
    repository.rewind("timestamp", timestamp);
    let bytes = user.download(&repository, files::CLAIMED).await.unwrap();
    fails(bytes == honest, &bytes);
    let bytes = newcomer.download(&repository, files::CLAIMED).await;
    assert_eq!(bytes.unwrap(), b"a thief's");
}

/// Indefinite freeze (TUF 1.5.2): targets past their expiry, in a snapshot and timestamp that are
/// fresh (5.6.5). Of a delegated role this is a failure, never "nobody claims it".
#[tokio::test]
async fn role_frozen_past_its_expiry() {
    for name in ["targets", "claimed", "project-alpha"] {
        let mut repository = Simulator::standard();
        let user = User::of(&repository);
        repository.set_lifetime(name, Duration::hours(1));
        repository.touch(name);
        repository.publish();
        user.download(&repository, files::CLAIMED).await.unwrap();

        repository.advance(Duration::hours(1));
        let (role, expires) = (role(name), repository.now);
        let expected = Rejection::Expired {
            role,
            version: v(2),
            expires,
            now: expires,
        };
        for client in [&user, &User::of(&repository)] {
            let error = client
                .download(&repository, files::CLAIMED)
                .await
                .unwrap_err();
            assert_eq!(rejection(error), expected);
        }
        repository.touch(name);
        repository.publish();
        user.download(&repository, files::CLAIMED).await.unwrap();
    }
}

/// Endless data (TUF 1.5.2): a role file that never ends (5.6.1 Z), with its length listed or not.
#[tokio::test]
async fn role_without_end() {
    for name in ["targets", "claimed"] {
        let mut repository = Simulator::standard();
        let user = User::of(&repository);
        repository
            .server()
            .bend(&format!("*.{name}.json"), Bend::Endless);
        let too_large = |limit| Rejection::TooLarge {
            role: role(name),
            limit,
        };
        let refused = user
            .download(&repository, files::CLAIMED)
            .await
            .unwrap_err();
        let limit = user.rules.limits.targets;
        assert_eq!(rejection(refused), too_large(limit));
        assert!(repository.server().requests().last().unwrap().sent() <= limit + 16_384);

        repository.set_listing(name, Listing::Full);
        repository.publish();
        let refused = user
            .download(&repository, files::CLAIMED)
            .await
            .unwrap_err();
        let length = repository.file(name).len() as u64;
        assert_eq!(rejection(refused), too_large(length));

        repository.server().unbend();
        user.download(&repository, files::CLAIMED).await.unwrap();
    }
}

/// Selective withholding: without the role of the developers, their files are not what anybody else
/// says (5.6.7: the search ends, and not with "nobody claims it").
#[tokio::test]
async fn withheld_role_leaves_its_paths_to_nobody() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let bin = repository.bin_of("bins", files::CLAIMED);
    repository.add_target(&bin, files::CLAIMED, b"what a thief would like installed");
    repository.publish();
    for name in ["claimed", "project-alpha"] {
        for bend in [
            Bend::Status(404),
            Bend::Status(500),
            Bend::Refused,
            Bend::Broken(50),
        ] {
            repository
                .server()
                .bend(&repository.name(name), bend.clone());
            let answer = user.find(&repository, files::CLAIMED).await;
            let Answer::Failed {
                role: failed,
                why: Failure::Unavailable(_),
            } = &answer
            else {
                panic!("{bend:?}: {answer:?}")
            };
            assert_eq!(*failed, role(name));
            repository.server().unbend();
        }
        assert_eq!(
            user.role_of(&repository, files::CLAIMED).await,
            role("project-alpha")
        );
        std::fs::remove_file(user.datastore().join("project-alpha.json")).unwrap();
    }
}
