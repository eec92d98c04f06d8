//! A repository that lists snapshot deltas: ours fetches one where everybody else fetches the file, and everybody
//! reads the same.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use client::{
    Body, Datastore, FileTransport, HttpTransport, Pace, Session, Transport, TransportError,
    Updater, UpdaterConfig, init,
};
use countersign_tests::environment::{Server, samples};
use countersign_tests::published::{Made, PublishedIndex, policy_text};
use futures_util::StreamExt;
use index::{ProjectName, Yanked};
use keys::{FileKey, KeyType};
use policy::Encoding;
use url::Url;

use crate::{PYTHON_TUF, TUF_JS, sample_targets, second_opinion};

/// An index with deltas and one snapshot.
fn made(folder: &Path) -> PublishedIndex {
    made_of(folder, Made::small(Encoding::PathHashPrefixes))
}

fn made_of(folder: &Path, made: Made) -> PublishedIndex {
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

/// Counts what it fetches; has no deltas where it is told so.
struct Counting {
    transport: Arc<dyn Transport>,
    without_deltas: bool,
    bytes: Arc<AtomicU64>,
    asked: Mutex<Vec<String>>,
}

impl Counting {
    fn over(transport: Arc<dyn Transport>) -> Self {
        Self {
            transport,
            without_deltas: false,
            bytes: Arc::default(),
            asked: Mutex::default(),
        }
    }

    fn http() -> Self {
        Self::over(Arc::new(HttpTransport::new(Pace::default()).unwrap()))
    }
}

#[async_trait::async_trait]
impl Transport for Counting {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        let name = url.path().to_owned();
        let is_delta = name.contains("/deltas/");
        self.asked.lock().unwrap().push(name);
        if is_delta && self.without_deltas {
            return Err(TransportError::NotFound { url: url.clone() });
        }
        let bytes = Arc::clone(&self.bytes);
        let body = self.transport.get(url).await?;
        Ok(Box::pin(body.inspect(move |piece| {
            let length = piece.as_ref().map_or(0, bytes::Bytes::len);
            bytes.fetch_add(length as u64, Ordering::Relaxed);
        })))
    }
}

/// An update; what it fetched in bytes, and by which paths.
async fn refresh(
    metadata: Url,
    root: &Path,
    trusted: &Path,
    counting: Counting,
) -> (Session, u64, Vec<String>) {
    let config = UpdaterConfig::new(metadata.clone(), metadata.join("../targets/").unwrap());
    let datastore = Datastore::open(trusted).unwrap();
    let root = std::fs::read(root).unwrap();
    init(&datastore, &root, &config.rules).await.unwrap();
    let counting = Arc::new(counting);
    let updater = Updater::new(config, datastore, counting.clone()).unwrap();
    let session = updater.refresh(chrono::Utc::now()).await.unwrap();
    let fetched = counting.bytes.load(Ordering::Relaxed);
    let asked = counting.asked.lock().unwrap().clone();
    (session, fetched, asked)
}

fn metadata_of(server: &Server) -> Url {
    server.url("metadata/").parse().unwrap()
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

/// The same update with and without: what is fetched is the timestamp and the delta, a small part of the file.
#[test]
fn deltas_are_used_when_offered_and_save_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let made = Made {
        bins: (1_024, Encoding::Succinct),
        ..Made::small(Encoding::Succinct)
    };
    let mut index = made_of(folder.path(), made);
    let server = Server::of_folder(&index.store());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let root = index.root().to_owned();
    let (with, without) = (folder.path().join("with"), folder.path().join("without"));
    let update = |trusted: &Path, without_deltas| {
        let counting = Counting {
            without_deltas,
            ..Counting::http()
        };
        let done = refresh(metadata_of(&server), &root, trusted, counting);
        runtime.block_on(done)
    };
    update(&with, false);
    update(&without, true);
    publish(&mut index, "one");
    let (_, small, _) = update(&with, false);
    let (_, large, _) = update(&without, true);
    let metadata = index.store().join("metadata");
    let timestamp = length(&metadata.join("timestamp.json"));
    let delta = length(&metadata.join("deltas/2-from-1.snapshot.zst"));
    let snapshot = length(&metadata.join("2.snapshot.json"));
    // Both also fetch what changed: nothing else is in the way of comparing them.
    let rest = large - timestamp - snapshot;
    assert_eq!(small, timestamp + delta + rest);
    assert!(delta * 20 < snapshot, "{delta} of {snapshot}");
    for trusted in [with, without] {
        let ours = std::fs::read(trusted.join("snapshot.json")).unwrap();
        assert!(ours == std::fs::read(metadata.join("2.snapshot.json")).unwrap());
    }
}

/// A mirror has the deltas that its timestamp lists, and its clients use them; one that the index has
/// altered is left out, and nobody is held up.
#[test]
fn a_mirror_carries_deltas() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = made(folder.path());
    let server = Server::of_folder(&index.store());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let copy = folder.path().join("copy");
    let words = [ProjectName::parse("countersign-sample-words").unwrap()];
    let root = index.root().to_owned();
    let mirror = || {
        runtime.block_on(async {
            let trusted = folder.path().join("mirroring");
            let (session, ..) =
                refresh(metadata_of(&server), &root, &trusted, Counting::http()).await;
            session
                .mirror(&words, &copy, chrono::Utc::now())
                .await
                .unwrap()
        })
    };
    let read = || {
        let metadata = Url::from_directory_path(copy.join("metadata")).unwrap();
        let trusted = folder.path().join("reading");
        let counting = Counting::over(Arc::new(FileTransport));
        runtime.block_on(refresh(metadata, &root, &trusted, counting))
    };
    assert_eq!(mirror().deltas, 0, "the first snapshot has none before it");
    read();
    publish(&mut index, "one");
    publish(&mut index, "two");
    assert_eq!(mirror().deltas, 2);
    let (_, fetched, asked) = read();
    let delta = "deltas/3-from-1.snapshot.zst";
    assert!(asked.iter().any(|name| name.ends_with(delta)), "{asked:?}");
    let plain = asked.iter().any(|name| name.ends_with("3.snapshot.json"));
    assert!(!plain, "{asked:?}");
    assert!(fetched >= length(&copy.join("metadata").join(delta)));
    assert_eq!(mirror().deltas, 2, "what is there is there");

    publish(&mut index, "three");
    let altered = index.tamper("4-from-3.snapshot.zst", |mut bytes| {
        bytes[0] ^= 1;
        bytes
    });
    assert_eq!(altered, 1);
    assert_eq!(mirror().deltas, 2);
    assert!(!copy.join("metadata/deltas/4-from-3.snapshot.zst").exists());
    let (_, _, asked) = read();
    let plain = asked.iter().any(|name| name.ends_with("4.snapshot.json"));
    assert!(plain, "{asked:?}");
}

#[test]
fn everybody_reads_a_repository_with_deltas() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = made(folder.path());
    let server = Server::of_folder(&index.store());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let trusted = folder.path().join("trusted");
    let cold = refresh(
        metadata_of(&server),
        index.root(),
        &trusted,
        Counting::http(),
    );
    runtime.block_on(cold);
    publish(&mut index, "one");
    publish(&mut index, "two");
    let timestamp = std::fs::read_to_string(index.store().join("metadata/timestamp.json")).unwrap();
    assert!(timestamp.contains("x-snapshot-deltas"), "{timestamp}");

    let warm = refresh(
        metadata_of(&server),
        index.root(),
        &trusted,
        Counting::http(),
    );
    runtime.block_on(warm);
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
