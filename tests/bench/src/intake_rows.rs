//! The intake: acknowledgements a second, the time from an upload to its being visible, and a week of an index
//! of PyPI's size in minutes. Server and web heads are in one process; between them is loopback.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use countersign_tests::checker::Checker;
use countersign_tests::postgres::{PASSWORD, PostgresServer};
use countersign_tests::published::{Made, PublishedIndex};
use intake::{Intake, IntakeConfig, NewToken, OpenRepository, TokenFile, TokenSecret, Verb};
use policy::{Encoding, Policy};
use proxy::{ConnectionLimits, serve_router};
use repository::{LocalStore, Parts, Repository, RepositoryError, UploadFolder};
use ring::rand::SystemRandom;
use state_postgres::{Address, AddressError, PostgresArrival, PostgresState};

use crate::client_rows::Regular;
use crate::web_head::WebHead;

/// Files that PyPI takes in a day.
const FILES_A_DAY: u64 = 10_685;

/// Seconds since 1970 by the clock of the week; zero for the machine's.
static SIMULATED: AtomicI64 = AtomicI64::new(0);

fn clock() -> DateTime<Utc> {
    match SIMULATED.load(Ordering::Relaxed) {
        0 => Utc::now(),
        seconds => DateTime::from_timestamp(seconds, 0).unwrap(),
    }
}

/// Where web heads find the intake, and the token they have.
#[derive(Clone)]
struct Door {
    address: SocketAddr,
    token: String,
}

impl Door {
    fn head(&self) -> WebHead {
        WebHead::connect(self.address, &self.token)
    }
}

/// Where an index keeps its state.
#[derive(Clone, Copy)]
pub(crate) enum Keeper {
    Sqlite,
    Postgres,
}

/// An index, and an intake on loopback.
struct Site {
    // Its database, if it has one of its own.
    _server: Option<PostgresServer>,
    home: tempfile::TempDir,
    index: PublishedIndex,
    door: Door,
    // Serves until it is dropped.
    _runtime: tokio::runtime::Runtime,
}

/// A small index with the deltas of a large one.
fn policy(wait: &str) -> String {
    let large = Policy::built_in_text("pep458").unwrap();
    let (_, deltas) = large.split_once("\n[deltas]\n").unwrap();
    let deltas = deltas.split("\n[").next().unwrap();
    let small = Policy::built_in_text("small-index").unwrap();
    format!("{small}\n[deltas]\n{deltas}\n")
        .replace("bins = \"auto\" ", "bins = 1_024 ")
        .replace(
            "batch_wait = \"60s\" ",
            &format!("batch_wait = \"{wait}\" "),
        )
        .replace(
            "requests_per_second = 200 ",
            "requests_per_second = 1_000_000 ",
        )
        .replace("request_burst = 2_000 ", "request_burst = 1_000_000 ")
        .replace("uploads_at_once = 32 ", "uploads_at_once = 1_024 ")
        .replace(
            "waiting_changes = 100_000 ",
            "waiting_changes = 10_000_000 ",
        )
}

impl Site {
    fn new(wait: &str, now: DateTime<Utc>, keeper: Keeper) -> Self {
        let home = tempfile::tempdir().unwrap();
        let made = Made {
            bins: (1_024, Encoding::PathHashPrefixes),
            keys: keys::KeyType::Ed25519,
            now,
        };
        let online = keys::FileKey::generate(made.keys, &SystemRandom::new()).unwrap();
        let policy = policy(wait);
        let mut index = PublishedIndex::make_by(home.path(), &policy, made, &[], Arc::new(online));
        let secret = TokenSecret::generate(&SystemRandom::new()).unwrap();
        let token = NewToken {
            name: "head".to_owned(),
            may: Verb::ALL.to_vec(),
            projects: vec!["*".parse().unwrap()],
            expires: now + TimeDelta::days(30),
        };
        let mut tokens = TokenFile::default();
        tokens.add(token.with_secret(&secret, now)).unwrap();
        let (path, file) = (home.path().join("index"), home.path().join("tokens.toml"));
        fs::write(&file, tokens.text()).unwrap();
        let (server, open) = match keeper {
            Keeper::Sqlite => {
                let path = path.clone();
                let open: OpenRepository = Arc::new(move || Ok(Repository::open(&path)?));
                (None, open)
            }
            Keeper::Postgres => {
                let (server, open) = into_postgres(&mut index, &path, now);
                (Some(server), open)
            }
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let config = IntakeConfig {
            spool: path.clone(),
            open,
            tokens: file,
            policy: Policy::parse(&policy).unwrap(),
            clock,
        };
        let router = {
            let _entered = runtime.enter();
            intake::router(Arc::new(Intake::start(config).unwrap()))
        };
        let forever = std::future::pending::<()>();
        let limits = ConnectionLimits::default();
        runtime.spawn(serve_router(listener, router, limits, forever));
        Self {
            _server: server,
            home,
            index,
            door: Door {
                address,
                token: secret.expose().to_owned(),
            },
            _runtime: runtime,
        }
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("index")
    }
}

/// Carries the state of an index to a server that syncs what it acknowledges.
fn into_postgres(
    index: &mut PublishedIndex,
    folder: &Path,
    now: DateTime<Utc>,
) -> (PostgresServer, OpenRepository) {
    let server = PostgresServer::start_with(&["fsync=on", "full_page_writes=on"], |_| {});
    let address = || -> Result<Address, AddressError> {
        Address::new(&server.url("index"), None, Some(PASSWORD.as_bytes()))
    };
    let _ = server.database("index");
    let settings = index.repository().settings().clone();
    let limits = settings.policy.state;
    let mut to = PostgresArrival::at(address().unwrap(), limits, settings);
    let done = index
        .repository()
        .move_state_to("a file", &mut to, "1", now, || Ok::<_, RepositoryError>(()));
    done.unwrap();
    let (folder, address) = (folder.to_owned(), address().unwrap());
    let open = move || {
        let state = PostgresState::open(address.clone())?;
        Ok(Repository::assemble(Parts {
            lock: Box::new(state.lease()),
            state: Box::new(state),
            store: Box::new(LocalStore::open_shared(folder.join(Parts::STORE))?),
            uploads: Box::new(UploadFolder::open(folder.join(Parts::UPLOADS))?),
        })?)
    };
    (server, Arc::new(open))
}

/// Projects that the requests without bytes go round.
const PROJECTS: u64 = 1_000;

/// Acknowledgements a second, by how many heads ask at once. Nothing is published meanwhile.
pub(crate) fn acknowledgements(keeper: Keeper) {
    let site = Site::new("60s", Utc::now(), keeper);
    println!("| what | heads | acknowledged | a second | median | 99 % |");
    println!("|---|---|---|---|---|---|");
    let add = |head: &mut WebHead, n: u64| {
        let name = format!("p{n}-1.0.tar.gz");
        head.upload(&name, &sdist(&format!("p{n}"), "1.0"))
    };
    row("a file of 200 B", &site.door, 50, PROJECTS / 50, add);
    let yank = |head: &mut WebHead, n: u64| {
        let name = format!("p{}-1.0.tar.gz", n % PROJECTS);
        head.yank(&name, &n.to_string())
    };
    for (heads, each) in [(1, 500), (16, 500), (64, 200), (256, 100)] {
        row("no bytes", &site.door, heads, each, yank);
    }
}

fn row(
    what: &str,
    door: &Door,
    heads: u64,
    each: u64,
    ask: impl Fn(&mut WebHead, u64) -> u64 + Sync,
) {
    let number = AtomicU64::new(0);
    let begin = Instant::now();
    let mut took: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..heads)
            .map(|_| {
                scope.spawn(|| {
                    let mut head = door.head();
                    let once = |_| {
                        let begin = Instant::now();
                        ask(&mut head, number.fetch_add(1, Ordering::Relaxed));
                        begin.elapsed()
                    };
                    (0..each).map(once).collect::<Vec<_>>()
                })
            })
            .collect();
        let threads = threads.into_iter();
        threads.flat_map(|thread| thread.join().unwrap()).collect()
    });
    let wall = begin.elapsed().as_secs_f64();
    took.sort();
    let (median, late) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    let count = u32::try_from(took.len()).unwrap();
    println!(
        "| {what} | {heads} | {count} | {:.0} | {:.1} ms | {:.1} ms |",
        f64::from(count) / wall,
        median.as_secs_f64() * 1e3,
        late.as_secs_f64() * 1e3
    );
}

/// From the first byte of an upload to its being covered by a timestamp, with a signer that looks every
/// second.
pub(crate) fn latency() {
    println!("| uploads a second | batches wait | uploads | median | longest |");
    println!("|---|---|---|---|---|");
    for (rate, seconds) in [(1, 30), (20, 30)] {
        let mut site = Site::new("1s", Utc::now(), Keeper::Sqlite);
        let done = std::sync::atomic::AtomicBool::new(false);
        let door = site.door.clone();
        let index = &mut site.index;
        let mut took: Vec<Duration> = std::thread::scope(|scope| {
            let done = &done;
            let heads = scope.spawn(move || {
                let uploads: Vec<_> = (0..rate * seconds)
                    .map(|n| {
                        std::thread::sleep(Duration::from_secs(1) / rate);
                        let door = door.clone();
                        std::thread::spawn(move || {
                            let (name, bytes) =
                                (format!("p{n}-1.0.tar.gz"), sdist(&format!("p{n}"), "1.0"));
                            let begin = Instant::now();
                            door.head().upload_and_wait(&name, &bytes);
                            begin.elapsed()
                        })
                    })
                    .collect();
                let took = uploads.into_iter().map(|one| one.join().unwrap()).collect();
                done.store(true, Ordering::Relaxed);
                took
            });
            while !done.load(Ordering::Relaxed) {
                index.tick_waiting(Utc::now());
                std::thread::sleep(Duration::from_secs(1));
            }
            heads.join().unwrap()
        });
        took.sort();
        let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
        println!(
            "| {rate} | 1 s | {} | {median:.1?} | {longest:.1?} |",
            took.len()
        );
    }
}

/// Days of PyPI's uploads, handed in over HTTP, published every few simulated minutes, swept once a
/// day; at the end everything on the index is checked.
pub(crate) fn churn(days: u64, minutes: u64) {
    let begin = Instant::now();
    let start = Utc::now();
    SIMULATED.store(start.timestamp(), Ordering::Relaxed);
    let mut site = Site::new("60s", start, Keeper::Sqlite);
    let mut checker = Checker::new(&site.index.store());
    println!(
        "| day | files | publications | store | swept | state database | incoming | a warm client, with deltas \
         | without |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let clients = [Regular::new(false), Regular::new(true)];
    let rounds = 24 * 60 / minutes;
    let mut files = 0;
    for day in 0..days {
        let mut publications = 0;
        for round in 0..rounds {
            let now =
                start + TimeDelta::minutes(((day * rounds + round + 1) * minutes).cast_signed());
            SIMULATED.store(now.timestamp(), Ordering::Relaxed);
            let due = FILES_A_DAY * (day * rounds + round + 1) / rounds;
            hand_in(&site.door, files, due);
            files = due;
            site.index.tick(now);
            publications += 1;
            for client in &clients {
                client.update(&site.index.store(), now);
            }
        }
        let now = clock();
        let before = size(&site.index.store());
        let swept = site.index.repository().sweep(now).unwrap();
        let after = size(&site.index.store());
        let state = size(&site.folder().join("state.sqlite"));
        println!(
            "| {} | {files} | {publications} | {} in {} objects | {} objects, {} | {} | {} | {} | {} |",
            day + 1,
            mega(after.0),
            after.1,
            swept.objects.len(),
            mega(before.0 - after.0),
            mega(state.0),
            mega(size(&site.folder().join("incoming")).0),
            mega(clients[0].fetched()),
            mega(clients[1].fetched()),
        );
        let listed = checker.look(now).unwrap();
        assert_eq!(listed.files.len() as u64, files, "every file is listed");
    }
    println!(
        "checked: {files} files listed and verified, {:.0?} in all",
        begin.elapsed()
    );
}

/// Uploads of the projects number `from` up to `to`, eight heads at once; every tenth project gets its
/// second release.
fn hand_in(door: &Door, from: u64, to: u64) {
    std::thread::scope(|scope| {
        for head in 0..8 {
            scope.spawn(move || {
                let mut connection = door.head();
                for n in (from..to).filter(|n| n % 8 == head) {
                    let (project, version) = (n / 10 * 10, format!("1.{}", n % 10));
                    let name = format!("churn{project}-{version}.tar.gz");
                    let bytes = sdist(&format!("churn{project}"), &version);
                    connection.upload(&name, &bytes);
                }
            });
        }
    });
}

fn mega(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

/// Bytes and number of the files below a path.
fn size(path: &Path) -> (u64, u64) {
    let about = fs::metadata(path).unwrap();
    if about.is_file() {
        return (about.len(), 1);
    }
    let entries = fs::read_dir(path)
        .unwrap()
        .map(|entry| size(&entry.unwrap().path()));
    entries.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// A source distribution with nothing but its metadata.
fn sdist(project: &str, version: &str) -> Vec<u8> {
    let metadata = format!("Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n");
    let mut header = tar::Header::new_gnu();
    header.set_size(metadata.len() as u64);
    header.set_mode(0o644);
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    let folder = project.replace('-', "_");
    let path = format!("{folder}-{version}/PKG-INFO");
    archive
        .append_data(&mut header, path, metadata.as_bytes())
        .unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}
