//! What an honest repository must be able to do, and exactly which requests it takes.

use client::{HttpTransport, Pace};
use countersign_tests::{Bend, BinEncoding, Key, Simulator, User, files, role};
use metadata::Document;
use trust::{Answer, Failure, Rejection};

use crate::v;

/// Cold: roots until there is no more, then timestamp, snapshot, targets (TUF 5.3–5.6). Warm: the
/// next root and the timestamp. Delegated roles in pre-order, each once, none that does not match.
#[tokio::test]
async fn requests_are_those_of_the_workflow_and_no_others() {
    let repository = Simulator::standard();
    let server = repository.server().clone();
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    let cold = [
        "2.root.json",
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
    ];
    assert_eq!(
        server.take_requests(),
        cold.map(|name| format!("metadata/{name}"))
    );

    let session = user.refresh(&repository).await.unwrap();
    let warm = ["metadata/2.root.json", "metadata/timestamp.json"];
    assert_eq!(server.take_requests(), warm);

    let plain = metadata::TargetPath::parse(files::PLAIN).unwrap();
    let bin = repository.name(&repository.bin_of("bins", files::PLAIN));
    for requests in [
        vec!["metadata/1.claimed.json", "metadata/1.bins.json", &bin],
        vec![],
    ] {
        assert!(matches!(session.find(&plain).await, Answer::Found(_)));
        assert_eq!(server.take_requests(), requests);
    }
}

/// One root after the other, each by the keys before it; only the last one's expiry counts
/// (TUF 5.3).
#[tokio::test]
async fn roots_are_followed_one_by_one() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.set_lifetime("root", chrono::Duration::seconds(1));
    for generation in 2..=4 {
        let keys = [1, 2, 3].map(|n| Key::ed25519(&format!("root-{generation}-{n}")));
        if generation == 4 {
            repository.set_lifetime("root", chrono::Duration::days(365));
        }
        repository.rotate("root", &keys, 2);
        repository.publish_root();
    }
    repository.advance(chrono::Duration::hours(1));
    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().root().version(), v(4));
    assert_eq!(user.kept("root").unwrap(), repository.file("root"));
    let first = repository.server().take_requests();
    assert_eq!(
        first[..4],
        [2, 3, 4, 5].map(|version| format!("metadata/{version}.root.json"))
    );
}

/// The four answers of DESIGN §4, in both encodings of bins.
#[tokio::test]
async fn lookups_tell_found_terminated_unclaimed_and_failed_apart() {
    for encoding in [BinEncoding::HashPrefixes, BinEncoding::Succinct] {
        let repository = Simulator::with_bins(encoding);
        let user = User::of(&repository);
        let bin = repository.bin_of("bins", files::PLAIN);
        for (path, by) in [
            (files::ANCHOR, "targets"),
            (files::CLAIMED, "project-alpha"),
            (files::PLAIN, &bin),
        ] {
            assert_eq!(
                user.role_of(&repository, path).await,
                role(by),
                "{encoding:?}"
            );
            let bytes = user.download(&repository, path).await.unwrap();
            assert_eq!(bytes, files::content(path));
        }
        let terminated = user.find(&repository, files::CLAIMED_ABSENT).await;
        assert_eq!(terminated, Answer::Terminated(role("project-alpha")));
        for path in [files::ABSENT, files::OUTSIDE] {
            assert_eq!(user.find(&repository, path).await, Answer::Unclaimed);
        }
        let absent_bin = repository.bin_of("bins", files::ABSENT);
        repository
            .server()
            .bend(&repository.name(&absent_bin), Bend::Status(404));
        std::fs::remove_file(user.datastore().join(format!("{absent_bin}.json"))).unwrap();
        let failed = user.find(&repository, files::ABSENT).await;
        let Answer::Failed {
            role: of,
            why: Failure::Unavailable(_),
        } = failed
        else {
            panic!("{failed:?}")
        };
        assert_eq!(of, role(&absent_bin));
    }
}

/// Nothing is asked of bins that have not changed; a new release reaches a client that has looked
/// before.
#[tokio::test]
async fn a_new_release_is_found() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    assert_eq!(
        user.find(&repository, files::ABSENT).await,
        Answer::Unclaimed
    );
    let bin = repository.bin_of("bins", files::ABSENT);
    repository.add_target(&bin, files::ABSENT, b"the second release");
    repository.publish();
    repository.server().take_requests();
    assert_eq!(
        user.download(&repository, files::ABSENT).await.unwrap(),
        b"the second release"
    );
    let asked = repository.server().take_requests();
    let expected = [
        "metadata/2.root.json".to_owned(),
        "metadata/timestamp.json".to_owned(),
        "metadata/2.snapshot.json".to_owned(),
        format!("metadata/2.{bin}.json"),
        repository.target_name(files::ABSENT, b"the second release"),
    ];
    assert_eq!(asked, expected);
}

/// P-256 keys everywhere (their PEM has line ends, so that the files are not canonical JSON), and a
/// repository without consistent snapshots.
#[tokio::test]
async fn other_keys_and_plain_names_are_read() {
    let mut repository = Simulator::bare();
    repository.rotate(
        "root",
        &[Key::p256(1), Key::p256(2), Key::ed25519("third")],
        3,
    );
    for (number, role) in (3..).zip(["timestamp", "snapshot", "targets"]) {
        repository.rotate(role, &[Key::p256(number)], 1);
    }
    repository.root.consistent_snapshot = false;
    repository.delegate("targets", "odd / name?", &[Key::p256(6)], &["odd/*"]);
    repository.add_target("odd / name?", "odd/file name", b"bytes");
    repository.publish();
    let user = User::of(&repository);
    assert_eq!(
        user.download(&repository, "odd/file name").await.unwrap(),
        b"bytes"
    );
    let asked = repository.server().take_requests();
    assert_eq!(
        asked[1..],
        [
            "metadata/timestamp.json",
            "metadata/snapshot.json",
            "metadata/targets.json",
            "metadata/odd%20%2F%20name%3F.json",
            "targets/odd/file name",
        ]
    );
}

/// The same client over real HTTP.
#[tokio::test]
async fn http_gives_what_memory_gives() {
    let mut repository = Simulator::standard();
    let listening = repository.server().listen().await;
    let transport = std::sync::Arc::new(HttpTransport::new(Pace::default()).unwrap());
    let urls = (listening.metadata_url(), listening.targets_url());
    let user = User::over(&repository, transport, urls.0, urls.1);
    assert_eq!(
        user.download(&repository, files::CLAIMED).await.unwrap(),
        files::content(files::CLAIMED)
    );
    repository
        .tamper("timestamp")
        .signed_by([&Key::ed25519("thief")]);
    repository.publish();
    assert!(matches!(
        user.refused(&repository).await,
        Rejection::Signatures { .. }
    ));
    for bend in [
        Bend::Broken(10),
        Bend::Truncated(10),
        Bend::Refused,
        Bend::Status(500),
    ] {
        repository
            .server()
            .bend("metadata/timestamp.json", bend.clone());
        assert!(user.refresh(&repository).await.is_err(), "{bend:?}");
    }
    repository.server().unbend();
    repository.publish();
    user.refresh(&repository).await.unwrap();
}
