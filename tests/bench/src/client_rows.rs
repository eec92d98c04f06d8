//! The client's rows of DESIGN §10, on a repository in a folder that python-tuf's client reads too.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use client::{Body, Datastore, FileTransport, Transport, TransportError, Updater, UpdaterConfig};
use draft::SignedFile;
use futures_util::StreamExt;
use index::BinCount;
use keys::KeyType;
use metadata::{Role, TargetPath, Version};
use policy::Encoding;
use tokio::runtime::{Builder, Runtime};
use trust::{Answer, Held, RootChain, Rules, Snapped};
use url::Url;

use crate::claims_rows::claimed_path;
use crate::meter::Meter;
use crate::scene::{Scene, Stream, path_of, target_of};

const REPEATS: u32 = 20;

/// How many targets the first bin has, which `verify-bin` reads.
const LARGE_BIN: usize = 600;

/// Writes a whole repository; its first bin is large.
pub(crate) fn write_repository(folder: &Path, targets: u32, bins: u64, encoding: Encoding) {
    let scene = Scene::of(KeyType::Ed25519, BinCount::new(bins).unwrap(), encoding);
    let stream = Stream::new(targets, scene.layout.count);
    let metadata = folder.join("metadata");
    fs::create_dir_all(&metadata).unwrap();
    let put = |file: &SignedFile| fs::write(metadata.join(file.file_name()), file.bytes()).unwrap();
    for (role, version, file) in scene.offline() {
        fs::write(metadata.join(role.versioned_file_name(version)), file).unwrap();
    }
    for bin in scene.layout.count.bins() {
        let mut listed = stream.of(bin);
        if bin.get() == 0 {
            let more = (targets..).map(target_of);
            let more = more.filter(|(path, _)| scene.layout.count.bin_of(&path.hash()) == bin);
            listed.extend(more.take(LARGE_BIN.saturating_sub(listed.len())));
        }
        let document = scene.bin(Version::FIRST).with_targets(listed);
        put(&scene.sign_bin(bin, document, None));
    }
    let snapshot = scene.sign_snapshot(scene.snapshot(), None);
    put(&snapshot);
    let described = metadata::MetaFile::describing(snapshot.version(), snapshot.bytes());
    put(&scene.sign_timestamp(Version::FIRST, described));
}

fn read(repository: &Path, name: &str) -> Vec<u8> {
    fs::read(repository.join("metadata").join(name)).unwrap()
}

/// Reads files and counts what it reads.
#[derive(Default)]
struct Counting {
    requests: AtomicU64,
    bytes: Arc<AtomicU64>,
    /// Whether it finds no deltas, as where an index writes none.
    is_without_deltas: bool,
}

#[async_trait::async_trait]
impl Transport for Counting {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if self.is_without_deltas && url.path().contains("/deltas/") {
            return Err(TransportError::NotFound { url: url.clone() });
        }
        let bytes = Arc::clone(&self.bytes);
        let count = move |piece: &Result<bytes::Bytes, TransportError>| {
            let length = piece.as_ref().map_or(0, bytes::Bytes::len);
            bytes.fetch_add(length as u64, Ordering::Relaxed);
        };
        Ok(Box::pin(FileTransport.get(url).await?.inspect(count)))
    }
}

/// A client that trusts the first root and holds nothing else.
fn client(
    repository: &Path,
    datastore: &Path,
    runtime: &Runtime,
    transport: &Arc<Counting>,
) -> Updater {
    let url = |name: &str| Url::from_directory_path(repository.join(name)).unwrap();
    let config = UpdaterConfig::new(url("metadata"), url("targets"));
    let datastore = Datastore::open(datastore).unwrap();
    let root = read(repository, "1.root.json");
    if datastore.dir().read_dir().unwrap().next().is_none() {
        runtime
            .block_on(client::init(&datastore, &root, &config.rules))
            .unwrap();
    }
    let transport = Arc::clone(transport);
    Updater::new(config, datastore, transport).unwrap()
}

/// An update with everything held already, by a new process as far as memory goes.
pub(crate) fn warm(repository: &Path) -> Meter {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let home = tempfile::tempdir().unwrap();
    let datastore = home.path().join("trusted");
    let first = client(repository, &datastore, &runtime, &Arc::default());
    runtime.block_on(first.refresh(chrono::Utc::now())).unwrap();
    let transport = Arc::default();
    let mut meter = Meter::start();
    for _ in 0..REPEATS {
        let updater = client(repository, &datastore, &runtime, &transport);
        meter
            .time(|| runtime.block_on(updater.refresh(chrono::Utc::now())))
            .unwrap();
    }
    meter.asked(&transport).repeated(REPEATS)
}

/// A client that updates again and again, a new process each time, and what it has fetched.
pub(crate) struct Regular {
    home: tempfile::TempDir,
    runtime: Runtime,
    transport: Arc<Counting>,
}

impl Regular {
    pub(crate) fn new(is_without_deltas: bool) -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            transport: Arc::new(Counting {
                is_without_deltas,
                ..Counting::default()
            }),
        }
    }

    pub(crate) fn update(&self, repository: &Path, now: chrono::DateTime<chrono::Utc>) {
        let datastore = self.home.path().join("trusted");
        let updater = client(repository, &datastore, &self.runtime, &self.transport);
        self.runtime.block_on(updater.refresh(now)).unwrap();
    }

    /// Bytes since this was last asked.
    pub(crate) fn fetched(&self) -> u64 {
        self.transport.bytes.swap(0, Ordering::Relaxed)
    }
}

/// A first update, and who speaks for one path.
pub(crate) fn cold(repository: &Path) -> Meter {
    look_up(repository, &path_of(7))
}

/// The same for a file of a project whose developers sign.
pub(crate) fn claimed(repository: &Path) -> Meter {
    look_up(repository, &claimed_path(7))
}

fn look_up(repository: &Path, path: &TargetPath) -> Meter {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let transport = Arc::default();
    let mut meter = Meter::start();
    for _ in 0..REPEATS {
        let home = tempfile::tempdir().unwrap();
        let updater = client(
            repository,
            &home.path().join("trusted"),
            &runtime,
            &transport,
        );
        let answer = meter.time(|| {
            runtime.block_on(async {
                let session = updater.refresh(chrono::Utc::now()).await.unwrap();
                session.find(path).await
            })
        });
        assert!(matches!(answer, Answer::Found(_)), "{answer:?}");
    }
    meter.asked(&transport).repeated(REPEATS)
}

impl Meter {
    fn asked(self, transport: &Counting) -> Self {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.fetched(read(&transport.requests), read(&transport.bytes))
    }
}

/// Parses and verifies a bin of 600 targets.
pub(crate) fn verify_bin(repository: &Path) -> Meter {
    let snapped = snapped(repository);
    let targets = snapped.targets(&read(repository, "1.targets.json"));
    let targets = targets.unwrap();
    let edge = targets.all_edges().next().unwrap();
    let bins = snapped.delegate(&edge, &read(repository, "1.bins.json"));
    let bins = bins.unwrap();
    let edge = bins.all_edges().next().unwrap();
    let role = Role::Delegated(edge.name().clone());
    let file = read(repository, &role.versioned_file_name(Version::FIRST));
    let mut meter = Meter::start();
    for _ in 0..10 * REPEATS {
        let bin = meter.time(|| snapped.delegate(&edge, &file)).unwrap();
        assert_eq!(bin.targets().len(), LARGE_BIN);
    }
    meter.repeated(10 * REPEATS)
}

fn snapped(repository: &Path) -> Snapped {
    let chain = RootChain::pinned(&read(repository, "1.root.json"), Rules::default()).unwrap();
    let held = Held {
        timestamp: None,
        snapshot: None,
    };
    let rooted = chain.close(chrono::Utc::now()).unwrap();
    let timed = rooted.timestamp(&read(repository, "timestamp.json"), held);
    let snapshot = read(repository, "1.snapshot.json");
    timed.unwrap().snapshot(&snapshot).unwrap()
}
