//! The contract that the TUF conformance suite holds clients to, sentence by sentence. What the suite runs
//! is `countersign client OPTIONS COMMAND`; its exit codes are held in `crates/countersign/tests/cli`, and
//! here the same code is run at the simulator's time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::Duration;
use client::conformance::{ConformanceError, run};
use countersign_tests::simulator::Listening;
use countersign_tests::{Bend, Key, Simulator, files};

/// A repository behind HTTP, and the empty folders of a client.
struct Suite {
    repository: Simulator,
    listening: Listening,
    folder: tempfile::TempDir,
}

impl Suite {
    async fn of(repository: Simulator) -> Self {
        let listening = repository.server().listen().await;
        let folder = tempfile::tempdir().unwrap();
        for name in ["md", "td"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self {
            repository,
            listening,
            folder,
        }
    }

    /// The standard repository, its first root trusted.
    async fn standard() -> Self {
        let suite = Self::of(Simulator::standard()).await;
        suite
            .init(&suite.repository.archived("root", 1))
            .await
            .unwrap();
        suite
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn run(&self, words: Vec<String>) -> Result<(), ConformanceError> {
        run(words, self.repository.now).await
    }

    async fn init(&self, root: &[u8]) -> Result<(), ConformanceError> {
        std::fs::write(self.at("root.json"), root).unwrap();
        let root = self.at("root.json").display().to_string();
        self.run(self.with(&["init", &root])).await
    }

    async fn refresh(&self) -> Result<(), ConformanceError> {
        let url = self.listening.metadata_url().to_string();
        self.run(self.with(&["--metadata-url", &url, "refresh"]))
            .await
    }

    async fn download(&self, names: &[&str]) -> Result<(), ConformanceError> {
        let (metadata, targets) = (
            self.listening.metadata_url().to_string(),
            self.listening.targets_url().to_string(),
        );
        let dir = self.at("td").display().to_string();
        let mut words = vec!["--metadata-url", &metadata];
        words.extend(names.iter().flat_map(|name| ["--target-name", *name]));
        words.extend([
            "--target-dir",
            &dir,
            "--target-base-url",
            &targets,
            "download",
        ]);
        self.run(self.with(&words)).await
    }

    fn with(&self, words: &[&str]) -> Vec<String> {
        let dir = self.at("md").display().to_string();
        let words = words.iter().map(|&word| word.to_owned());
        ["--metadata-dir".to_owned(), dir]
            .into_iter()
            .chain(words)
            .collect()
    }

    /// The files of a folder, those that begin with a dot too.
    fn content(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.at(name))
            .unwrap()
            .map(Result::unwrap);
        let file = |it: std::fs::DirEntry| {
            let name = it.file_name().into_string().unwrap();
            (name, std::fs::read(it.path()).unwrap())
        };
        entries.map(file).collect()
    }

    /// The names in the metadata folder that end in `.json`.
    fn kept(&self) -> Vec<String> {
        let names = self.content("md").into_keys();
        let is_json = |name: &String| name.rsplit_once('.').is_some_and(|(_, end)| end == "json");
        names.filter(is_json).collect()
    }

    fn requests(&self) -> Vec<String> {
        self.repository.server().take_requests()
    }
}

const TOP: [&str; 4] = [
    "root.json",
    "snapshot.json",
    "targets.json",
    "timestamp.json",
];

#[tokio::test]
async fn init_makes_no_request() {
    let suite = Suite::standard().await;
    assert_eq!(suite.requests(), [""; 0]);
    assert_eq!(suite.kept(), ["root.json"]);
}

#[tokio::test]
async fn an_invalid_or_unsigned_trusted_root_fails_without_any_request() {
    let suite = Suite::of(Simulator::standard()).await;
    let root = suite.repository.archived("root", 1);
    let unsigned = String::from_utf8(root.to_vec())
        .unwrap()
        .replace("\"sig\":\"", "\"sig\":\"00");
    for bad in [&b"{}"[..], b"", unsigned.as_bytes()] {
        assert!(suite.init(bad).await.is_err());
        // The suite may also put it there itself.
        std::fs::write(suite.at("md/root.json"), bad).unwrap();
        assert!(suite.refresh().await.is_err());
        assert_eq!(suite.requests(), [""; 0]);
    }
}

#[tokio::test]
async fn urls_stand_with_or_without_a_final_slash() {
    let suite = Suite::standard().await;
    for url in [suite.listening.metadata_url().to_string()] {
        for url in [url.trim_end_matches('/'), &url] {
            suite
                .run(suite.with(&["--metadata-url", url, "refresh"]))
                .await
                .unwrap();
            assert!(
                suite
                    .requests()
                    .contains(&"metadata/timestamp.json".to_owned())
            );
        }
    }
}

#[tokio::test]
async fn the_metadata_folder_holds_the_bytes_as_served_unversioned() {
    let suite = Suite::standard().await;
    suite.refresh().await.unwrap();
    assert_eq!(suite.kept(), TOP);
    for name in ["root", "timestamp", "snapshot", "targets"] {
        let served = suite.repository.file(name);
        assert_eq!(
            suite.content("md")[&format!("{name}.json")],
            served,
            "{name}"
        );
    }
}

#[tokio::test]
async fn each_role_is_persisted_as_soon_as_it_is_verified() {
    for (gone, kept) in [
        ("*timestamp.json", &["root.json"][..]),
        ("*snapshot.json", &["root.json", "timestamp.json"]),
        (
            "*targets.json",
            &["root.json", "snapshot.json", "timestamp.json"],
        ),
    ] {
        let suite = Suite::standard().await;
        suite.repository.server().bend(gone, Bend::Status(404));
        assert!(suite.refresh().await.is_err());
        assert_eq!(suite.kept(), kept, "{gone}");
    }
}

#[tokio::test]
async fn an_expired_root_is_persisted_and_expired_other_roles_are_not() {
    let mut suite = Suite::standard().await;
    suite.repository.set_lifetime("root", Duration::hours(1));
    suite
        .repository
        .rotate("timestamp", &[Key::ed25519("newer")], 1);
    suite.repository.publish();
    suite.repository.advance(Duration::hours(2));
    assert!(suite.refresh().await.is_err());
    assert_eq!(
        suite.content("md")["root.json"],
        suite.repository.file("root")
    );
    assert_eq!(suite.kept(), ["root.json"]);

    for (role, kept) in [("timestamp", 1), ("snapshot", 2), ("targets", 3)] {
        let mut suite = Suite::standard().await;
        suite.repository.set_lifetime(role, Duration::hours(1));
        suite.repository.add_target("targets", "more", b"more");
        suite.repository.publish();
        suite.repository.advance(Duration::hours(2));
        assert!(suite.refresh().await.is_err(), "{role}");
        assert_eq!(suite.kept().len(), kept, "{role}");
        assert!(!suite.kept().contains(&format!("{role}.json")), "{role}");
    }
}

#[tokio::test]
async fn download_refreshes_first_and_keeps_that_when_the_target_does_not_exist() {
    let suite = Suite::standard().await;
    assert!(suite.download(&[files::OUTSIDE]).await.is_err());
    assert_eq!(suite.kept(), TOP);
    assert!(suite.content("td").is_empty());
}

#[tokio::test]
async fn targets_are_taken_in_order_and_the_first_failure_ends() {
    let suite = Suite::standard().await;
    let wanted = [files::PLAIN, files::ABSENT, files::CLAIMED];
    assert!(suite.download(&wanted).await.is_err());
    let there = suite.content("td").into_values().collect::<Vec<_>>();
    assert_eq!(there, [files::content(files::PLAIN)]);
    let asked = suite.requests();
    assert!(
        !asked.iter().any(|name| name.contains("alpha-1.0")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_is_there_with_matching_digests_is_not_fetched_again() {
    let suite = Suite::standard().await;
    for fetched in [1, 0] {
        suite.download(&[files::PLAIN, files::PLAIN]).await.unwrap();
        let asked = suite.requests();
        let targets = asked.iter().filter(|name| name.starts_with("targets/"));
        assert_eq!(targets.count(), fetched, "{asked:?}");
    }
}

#[tokio::test]
async fn a_failure_leaves_no_stray_file_and_a_target_keeps_its_name() {
    let mut suite = Suite::standard().await;
    suite
        .repository
        .server()
        .bend("*beta-1.0-py3-none-any.whl", Bend::one_bit());
    assert!(suite.download(&[files::PLAIN]).await.is_err());
    assert!(suite.content("td").is_empty());
    suite.repository.server().unbend();
    suite.download(&[files::PLAIN]).await.unwrap();
    let before = suite.content("td");
    let bin = suite.repository.bin_of("bins", files::PLAIN);
    suite
        .repository
        .add_target(&bin, files::PLAIN, b"other bytes");
    suite.repository.publish();
    suite.download(&[files::PLAIN]).await.unwrap();
    let after = suite.content("td");
    assert!(before.keys().eq(after.keys()));
    assert_eq!(after.into_values().collect::<Vec<_>>(), [b"other bytes"]);
}

#[tokio::test]
async fn requests_are_cold_and_warm_those_of_the_workflow() {
    let suite = Suite::standard().await;
    suite.refresh().await.unwrap();
    let cold = [
        "2.root.json",
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
    ];
    assert_eq!(
        suite.requests(),
        cold.map(|name| format!("metadata/{name}"))
    );
    suite.refresh().await.unwrap();
    let warm = ["2.root.json", "timestamp.json"];
    assert_eq!(
        suite.requests(),
        warm.map(|name| format!("metadata/{name}"))
    );
}

#[tokio::test]
async fn delegated_roles_are_asked_in_pre_order_once_and_none_that_does_not_match() {
    let mut repository = Simulator::bare();
    for (from, to, pattern) in [
        ("targets", "a", "x/*"),
        ("a", "aa", "x/*"),
        ("a", "no", "y/*"),
        ("targets", "b", "x/*"),
        ("b", "aa", "x/*"),
        ("b", "missing", "x/*"),
        ("targets", "c", "x/*"),
    ] {
        repository.delegate(from, to, &[Key::ed25519(to)], &[pattern]);
    }
    repository.unlist("missing");
    repository.publish();
    let suite = Suite::of(repository).await;
    suite
        .init(&suite.repository.archived("root", 1))
        .await
        .unwrap();
    suite.refresh().await.unwrap();
    suite.requests();
    assert!(suite.download(&["x/file"]).await.is_err());
    let asked = suite.requests();
    let delegated = ["1.a.json", "1.aa.json", "1.b.json"];
    assert_eq!(asked[2..], delegated.map(|name| format!("metadata/{name}")));
}

#[tokio::test]
async fn a_cached_delegated_role_is_verified_against_its_current_delegator() {
    let mut suite = Suite::standard().await;
    suite.download(&[files::CLAIMED]).await.unwrap();
    std::fs::remove_dir_all(suite.at("td")).unwrap();
    std::fs::create_dir(suite.at("td")).unwrap();
    // The same file of the project, other keys for it where it is delegated.
    let other = Key::ed25519("other");
    let delegations = suite.repository.delegations("claimed");
    delegations
        .keys
        .insert(other.id().clone(), other.public().clone());
    let metadata::DelegatedRoles::Listed(roles) = &mut delegations.roles else {
        panic!("claimed lists its roles");
    };
    roles[0].keys.keyids = vec![other.id().clone()];
    suite.repository.publish();
    assert!(suite.download(&[files::CLAIMED]).await.is_err());
    assert!(suite.content("td").is_empty());
}

#[tokio::test]
async fn a_cached_delegated_role_is_held_to_its_delegators_threshold() {
    let mut suite = Suite::standard().await;
    suite.download(&[files::CLAIMED]).await.unwrap();
    std::fs::remove_dir_all(suite.at("td")).unwrap();
    std::fs::create_dir(suite.at("td")).unwrap();
    // The same file, signed by all who signed it; one more has to sign now.
    let more = Key::ed25519("one more");
    let delegations = suite.repository.delegations("claimed");
    delegations
        .keys
        .insert(more.id().clone(), more.public().clone());
    let metadata::DelegatedRoles::Listed(roles) = &mut delegations.roles else {
        panic!("claimed lists its roles");
    };
    let keys = &mut roles[0].keys;
    keys.keyids.push(more.id().clone());
    keys.threshold = u32::try_from(keys.keyids.len()).unwrap();
    suite.repository.publish();
    assert!(suite.download(&[files::CLAIMED]).await.is_err());
    assert!(suite.content("td").is_empty());
}

#[tokio::test]
async fn urls_and_names_have_nothing_left_unescaped() {
    let mut repository = Simulator::bare();
    let name = "../a?/b#c";
    repository.delegate("targets", name, &[Key::ed25519("odd")], &["dir/*"]);
    repository.add_target(name, "dir/file", b"bytes");
    repository.publish();
    let suite = Suite::of(repository).await;
    suite
        .init(&suite.repository.archived("root", 1))
        .await
        .unwrap();
    suite.download(&["dir/file"]).await.unwrap();
    let asked = suite.requests();
    assert!(
        asked.contains(&"metadata/1...%2Fa%3F%2Fb%23c.json".to_owned()),
        "{asked:?}"
    );
    let digest = metadata::Sha256::of(b"bytes");
    assert!(
        asked.contains(&format!("targets/dir/{digest}.file")),
        "{asked:?}"
    );
    assert!(
        suite.kept().contains(&"..%2Fa%3F%2Fb%23c.json".to_owned()),
        "{:?}",
        suite.kept()
    );
}
