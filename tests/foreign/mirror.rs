//! A mirror of ours is a repository of its own for other people's clients.

use client::{Datastore, FileTransport, Updater, UpdaterConfig, init};
use countersign_tests::environment::{Server, samples};
use countersign_tests::published::{Made, PublishedIndex};
use index::ProjectName;
use policy::Encoding;
use url::Url;

use crate::{PYTHON_TUF, TUF_JS, sample_targets};

/// Mirrors all samples, deletes the index, and lets a foreign client read every target from the copy.
fn reads_a_mirror(client: &crate::Client, encoding: Encoding) {
    let folder = tempfile::tempdir().unwrap();
    let made = Made::small(encoding);
    std::fs::create_dir(folder.path().join("index")).unwrap();
    let index = PublishedIndex::make(&folder.path().join("index"), made, &samples());
    let root = folder.path().join("first.json");
    std::fs::copy(index.root(), &root).unwrap();
    let copy = folder.path().join("copy");
    let url = |name| Url::from_directory_path(index.store().join(name)).unwrap();
    let config = UpdaterConfig::new(url("metadata"), url("targets"));
    let datastore = Datastore::open(folder.path().join("trusted")).unwrap();
    let targets = sample_targets();
    let projects = ["cli", "greeter", "words"];
    let projects =
        projects.map(|name| ProjectName::parse(&format!("countersign-sample-{name}")).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mirrored = runtime.block_on(async {
        let file = std::fs::read(&root).unwrap();
        init(&datastore, &file, &config.rules).await.unwrap();
        let updater = Updater::new(config, datastore, std::sync::Arc::new(FileTransport)).unwrap();
        let session = updater.refresh(made.now).await.unwrap();
        session.mirror(&projects, &copy, made.now).await.unwrap()
    });
    assert!(mirrored.withheld.is_empty());
    assert!(mirrored.targets.len() >= targets.len());
    std::fs::remove_dir_all(folder.path().join("index")).unwrap();
    let server = Server::of_folder(&copy);
    let paths: Vec<String> = targets.iter().map(|(path, _)| path.clone()).collect();
    let work = folder.path().join("work");
    let output = client.read(&server, &root, &work, &paths).unwrap();
    for path in &paths {
        assert!(output.contains(path.as_str()), "{path} is missing");
    }
}

#[test]
fn python_tuf_reads_a_mirror() {
    reads_a_mirror(&PYTHON_TUF, Encoding::PathHashPrefixes);
}

#[test]
fn tuf_js_reads_a_mirror() {
    reads_a_mirror(&TUF_JS, Encoding::Succinct);
}
