//! A repository that lists snapshot deltas: ours fetches one where everybody else fetches the file, and everybody
//! reads the same.

use std::path::Path;
use std::sync::Arc;

use client::{Datastore, HttpTransport, Pace, Updater, UpdaterConfig, init};
use countersign_tests::environment::{Server, samples};
use countersign_tests::published::{Made, PublishedIndex, policy_text};
use index::Yanked;
use keys::{FileKey, KeyType};
use policy::Encoding;

use crate::{PYTHON_TUF, TUF_JS, sample_targets, second_opinion};

/// An index with deltas and one snapshot.
fn made(folder: &Path) -> PublishedIndex {
    let made = Made::small(Encoding::PathHashPrefixes);
    let policy = format!("{}\n[deltas]\nsnapshots = 4\n", policy_text(made.bins));
    let random = ring::rand::SystemRandom::new();
    let online = Arc::new(FileKey::generate(KeyType::Ed25519, &random).unwrap());
    PublishedIndex::make_by(folder, &policy, made, &samples(), online)
}

/// Another snapshot.
fn publish(index: &mut PublishedIndex, why: &str) {
    let name = samples()[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let (yanked, now) = (Yanked::Because(why.to_owned()), chrono::Utc::now());
    index
        .repository()
        .yank_files(&[name], &yanked, now)
        .unwrap();
    index.tick(now);
}

async fn refresh(server: &Server, root: &Path, trusted: &Path) {
    let url = |part: &str| server.url(part).parse().unwrap();
    let config = UpdaterConfig::new(url("metadata/"), url("targets/"));
    let datastore = Datastore::open(trusted).unwrap();
    let root = std::fs::read(root).unwrap();
    init(&datastore, &root, &config.rules).await.unwrap();
    let transport = Arc::new(HttpTransport::new(Pace::default()).unwrap());
    let updater = Updater::new(config, datastore, transport).unwrap();
    updater.refresh(chrono::Utc::now()).await.unwrap();
}

#[test]
fn everybody_reads_a_repository_with_deltas() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = made(folder.path());
    let server = Server::of_folder(&index.store());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let trusted = folder.path().join("trusted");
    runtime.block_on(refresh(&server, index.root(), &trusted));
    publish(&mut index, "one");
    publish(&mut index, "two");
    let timestamp = std::fs::read_to_string(index.store().join("metadata/timestamp.json")).unwrap();
    assert!(timestamp.contains("x-snapshot-deltas"), "{timestamp}");

    runtime.block_on(refresh(&server, index.root(), &trusted));
    let log = server.log();
    assert!(
        log.contains("GET /metadata/deltas/3-from-1.snapshot.zst"),
        "{log}"
    );
    assert!(!log.contains("GET /metadata/3.snapshot.json"), "{log}");
    let ours = std::fs::read(trusted.join("snapshot.json")).unwrap();
    let file = std::fs::read(index.store().join("metadata/3.snapshot.json")).unwrap();
    assert_eq!(ours, file);

    let paths: Vec<String> = sample_targets().into_iter().map(|(path, _)| path).collect();
    for (name, client) in [("python", PYTHON_TUF), ("node", TUF_JS)] {
        let work = folder.path().join(name);
        let output = client.read(&server, index.root(), &work, &paths).unwrap();
        assert!(paths.iter().all(|path| output.contains(path)), "{output}");
    }
    let report = second_opinion::report(&index);
    assert!(report.is_clean(), "{report:?}");
    assert!(matches!(
        report.second_opinion,
        audit::SecondOpinion::Agrees { .. }
    ));
}
