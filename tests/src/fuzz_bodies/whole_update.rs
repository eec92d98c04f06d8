//! Whole updates from a repository that the input makes hostile: it starts as the simulator's honest
//! one, then each few bytes of the input change it, with or without keys in hand, and have the real
//! client update from it. After each update `oracle` judges what the client keeps and has returned.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use chrono::Duration;
use client::{Datastore, Updater, UpdaterConfig};
use metadata::TargetPath;
use tokio::runtime::Runtime;
use trust::{Answer, Dialect};
use url::Url;

use super::oracle::{self, Kept};
use crate::simulator::{Bend, BinEncoding, Key, Simulator, files};

/// Steps taken of one input, and updates among them: any small numbers serve.
const MAX_STEPS: usize = 16;
const MAX_UPDATES: usize = 4;

/// The roles of the simulator's standard repository that an input can reach.
const ROLES: [&str; 8] = [
    "root",
    "timestamp",
    "snapshot",
    "targets",
    "claimed",
    "project-alpha",
    "bins",
    "bin-0",
];

/// What users ask for.
const PATHS: [&str; 6] = [
    files::ANCHOR,
    files::CLAIMED,
    files::CLAIMED_ABSENT,
    files::PLAIN,
    files::ABSENT,
    files::OUTSIDE,
];

/// Reads the input as steps of an attack, and plays it.
///
/// # Panics
///
/// At a finding: a panic of the client, or something kept or returned that nobody entitled to it has signed.
pub fn whole_update(data: &[u8]) {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().expect("a runtime")
    });
    runtime.block_on(play(&mut Input(data)));
}

async fn play(input: &mut Input<'_>) {
    let first = input.byte();
    let encoding = if first & 1 == 0 {
        BinEncoding::HashPrefixes
    } else {
        BinEncoding::Succinct
    };
    let mut repository = Simulator::with_bins(encoding);
    let home = home();
    let user = user(&repository, home.path(), first & 2 != 0);
    let mut updates = 0;
    for _ in 0..MAX_STEPS {
        if input.0.is_empty() {
            break;
        }
        match input.byte() % 16 {
            0 if updates < MAX_UPDATES => {
                updates += 1;
                update(&user, &repository, home.path(), input.byte()).await;
            }
            step => change(&mut repository, step, input),
        }
    }
    update(&user, &repository, home.path(), input.byte()).await;
}

/// A folder in memory where there is one: nothing here asks what a loss of power leaves.
fn home() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir());
    made.expect("a temporary folder")
}

fn user(repository: &Simulator, home: &Path, lenient: bool) -> Updater {
    let url = |path: &str| Url::parse(&format!("http://index.example/{path}/")).expect("a URL");
    let mut config = UpdaterConfig::new(url("metadata"), url("targets"));
    if lenient {
        config.rules.dialect = Dialect::Lenient;
    }
    std::fs::write(home.join("root.json"), repository.archived("root", 1)).expect("writable");
    let datastore = Datastore::open(home).expect("a datastore");
    let server = Arc::new(repository.server().clone());
    Updater::new(config, datastore, server).expect("an updater")
}

/// One update and the search for one path, judged.
async fn update(user: &Updater, repository: &Simulator, home: &Path, path: u8) {
    let before = Kept::read(home);
    let refreshed = user.refresh(repository.now).await;
    let after = Kept::read(home);
    oracle::judge_update(&before, &after, repository.now, refreshed.is_ok());
    let Ok(session) = refreshed else { return };
    let path = TargetPath::parse(PATHS[usize::from(path) % PATHS.len()]).expect("a path");
    let answer = session.find(&path).await;
    let found = Kept::read(home);
    oracle::judge_search(&after, &found, repository.now);
    if let Answer::Found(target) = answer {
        let role = target.role().clone();
        if let Ok(bytes) = session.read(&target.into()).await {
            oracle::judge_file(&found, &role, &path, &bytes);
        }
    }
}

/// One step against the repository, or an honest one.
fn change(repository: &mut Simulator, step: u8, input: &mut Input<'_>) {
    let role = ROLES[usize::from(input.byte()) % ROLES.len()];
    match step {
        1 => repository.publish(),
        2 => repository.advance(Duration::hours(i64::from(input.byte()))),
        3 => repository.touch(role),
        4 => rotate(repository, role, input),
        5 => rewind(repository, role, input.byte()),
        6 if role != "root" => repository.unlist(role),
        7 => repository.set_next_version(role, u64::from(input.byte()).max(1)),
        8 => repository.publish_timestamp(),
        9 => edit_json(repository, role, input),
        10 => edit_text(repository, role, input),
        11 => {
            let keys = keys(input);
            repository.tamper(role).signed_by(&keys);
        }
        12 => edit_signatures(repository, role, input),
        13 => bend(repository, input),
        14 => swap(repository, input),
        _ => repository.server().unbend(),
    }
}

/// Some of few keys, each possibly under a key id that is not its own.
fn keys(input: &mut Input<'_>) -> Vec<Key> {
    const NAMES: [&str; 6] = ["online", "root-1", "root-2", "targets", "alpha", "thief"];
    let (chosen, renamed) = (input.byte(), input.byte());
    let chosen = NAMES
        .iter()
        .enumerate()
        .filter(|(i, _)| chosen >> i & 1 == 1);
    let key = |(i, name): (usize, &&str)| {
        let key = Key::ed25519(name);
        if renamed >> i & 1 == 1 {
            key.under_id("another")
        } else {
            key
        }
    };
    chosen.map(key).collect()
}

fn rotate(repository: &mut Simulator, role: &str, input: &mut Input<'_>) {
    let keys = keys(input);
    let threshold = u32::from(input.byte() % 4);
    repository.rotate(role, &keys, threshold);
}

fn rewind(repository: &mut Simulator, role: &str, back: u8) {
    let back = u64::from(back % 4);
    let version = repository.version(role).get();
    if role != "root" && back > 0 && version > back {
        // A version that was skipped was never published.
        if repository.has_archived(role, version - back) {
            repository.rewind(role, version - back);
        }
    }
}

/// Replaces one value of a document by another, then has it signed by whoever signs it.
fn edit_json(repository: &mut Simulator, role: &str, input: &mut Input<'_>) {
    let (place, by) = (input.byte(), input.byte());
    repository.tamper(role).json(move |document| {
        let mut places = Vec::new();
        list_places(document, &mut String::new(), &mut places);
        let Some(at) = places.get(usize::from(place) % places.len().max(1)) else {
            return;
        };
        let value = match by {
            0 => serde_json::Value::Null,
            1..=32 => serde_json::json!(by),
            33 => serde_json::json!(1_u64 << 53),
            34 => serde_json::json!(-1),
            35 => serde_json::json!(""),
            36 => serde_json::json!([]),
            37 => serde_json::json!({}),
            38 => serde_json::json!("2020-01-01T00:00:00Z"),
            39 => serde_json::json!("2040-01-01T00:00:00.5+01:00"),
            40 => serde_json::json!("*/*/*/*"),
            _ => document
                .pointer(&places[usize::from(by) % places.len()])
                .cloned()
                .unwrap_or_default(),
        };
        if let Some(old) = document.pointer_mut(at) {
            *old = value;
        }
    });
}

/// Every value of a document, as JSON pointers (RFC 6901).
fn list_places(value: &serde_json::Value, at: &mut String, places: &mut Vec<String>) {
    let mut below = |name: &str, value: &serde_json::Value| {
        let length = at.len();
        at.push('/');
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        places.push(at.clone());
        list_places(value, at, places);
        at.truncate(length);
    };
    match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                below(name, value);
            }
        }
        serde_json::Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                below(&i.to_string(), value);
            }
        }
        _ => {}
    }
}

/// Puts bytes of the input into the text that is signed.
fn edit_text(repository: &mut Simulator, role: &str, input: &mut Input<'_>) {
    let (at, cut) = (usize::from(input.byte()), usize::from(input.byte()));
    let text = String::from_utf8_lossy(input.some()).into_owned();
    repository.tamper(role).text(move |before| {
        // Canonical text is ASCII here, so that every place is between two characters.
        let at = at * before.len() / 255;
        let end = (at + cut).min(before.len());
        format!("{}{text}{}", &before[..at], &before[end..])
    });
}

fn edit_signatures(repository: &mut Simulator, role: &str, input: &mut Input<'_>) {
    let how = input.byte();
    repository
        .tamper(role)
        .signatures(move |signatures| match how % 4 {
            0 => signatures.clear(),
            1 => signatures.truncate(1),
            2 => signatures.extend(signatures.clone()),
            _ => {
                for signature in signatures {
                    if let Some(byte) = signature.bytes.get_mut(usize::from(how)) {
                        *byte ^= 1;
                    }
                }
            }
        });
}

/// Answers wrongly for one file, without any key.
fn bend(repository: &Simulator, input: &mut Input<'_>) {
    let names = repository.server().names();
    let name = &names[usize::from(input.byte()) % names.len()];
    let at = usize::from(input.byte());
    let bend = match input.byte() % 6 {
        0 => Bend::Status(404),
        1 => Bend::Refused,
        2 => Bend::Truncated(at * 8),
        3 => Bend::Broken(at * 8),
        4 => Bend::replaced(input.some().to_vec()),
        _ => {
            let with = input.some().to_vec();
            Bend::changed(move |mut file| {
                let start = at * file.len() / 255;
                let end = (start + with.len()).min(file.len());
                file.splice(start..end, with.iter().copied());
                file
            })
        }
    };
    repository.server().bend(name, bend);
}

/// Serves one file in place of another.
fn swap(repository: &Simulator, input: &mut Input<'_>) {
    let server = repository.server();
    let names = server.names();
    let [name, by] = [(); 2].map(|()| &names[usize::from(input.byte()) % names.len()]);
    if let Some(file) = server.file(by) {
        server.bend(name, Bend::replaced(file));
    }
}

/// The rest of the input; at its end there are zeros.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A length and so many bytes.
    fn some(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (some, rest) = self.0.split_at(length);
        self.0 = rest;
        some
    }
}
