//! The power fails after any call of an update, and of what was not synced any part is lost: the datastore
//! that is found again refuses what it refused before, and updates to the newest state. A full disk, and a
//! folder that must not be written, end an update without either.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::NamedTempFile;

use super::{Datastore, Disk, RealDisk};
use crate::testing::{BASE, Repository, now};
use crate::{ClientError, Kind, Updater, UpdaterConfig, init};

/// One call, as far as it changes what is on the disk.
#[derive(Clone, Debug)]
enum Call {
    Fill(PathBuf, Vec<u8>),
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncDir,
}

/// Does everything, and writes it down; or fails from a call on, as a full disk does.
#[derive(Debug, Default)]
struct Recorder {
    calls: Mutex<Vec<Call>>,
    full_after: Option<usize>,
}

impl Recorder {
    fn note(&self, call: Call) -> io::Result<()> {
        let mut calls = self.calls.lock().unwrap();
        if self.full_after.is_some_and(|most| calls.len() >= most) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        calls.push(call);
        Ok(())
    }
}

impl Disk for Recorder {
    fn fill(&self, file: &mut NamedTempFile, bytes: &[u8]) -> io::Result<()> {
        self.note(Call::Fill(file.path().into(), bytes.to_vec()))?;
        RealDisk.fill(file, bytes)
    }

    fn sync(&self, file: &NamedTempFile) -> io::Result<()> {
        self.note(Call::Sync(file.path().into()))?;
        RealDisk.sync(file)
    }

    fn rename(&self, file: NamedTempFile, to: &Path) -> io::Result<()> {
        self.note(Call::Rename(file.path().into(), to.into()))?;
        RealDisk.rename(file, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.note(Call::Remove(path.into()))?;
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.note(Call::SyncDir)?;
        RealDisk.sync_dir(dir)
    }
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Every state the disk may be in when the power fails after `calls`, which began at `before`: unsynced
/// bytes are whole, cut or gone, and each unsynced name is there or not, whatever came of the others.
fn states(before: &Files, calls: &[Call]) -> BTreeSet<Files> {
    let mut bytes: BTreeMap<&Path, (&[u8], bool)> = BTreeMap::new();
    let mut states = BTreeSet::from([before.clone()]);
    let mut loose: Vec<(&Path, Option<Vec<Vec<u8>>>)> = Vec::new();
    for call in calls {
        match call {
            Call::Fill(path, filled) => {
                bytes.insert(path.as_path(), (filled.as_slice(), false));
            }
            Call::Sync(path) => {
                if let Some((_, is_synced)) = bytes.get_mut(path.as_path()) {
                    *is_synced = true;
                }
            }
            Call::Rename(from, to) => {
                let (whole, is_synced) = bytes[from.as_path()];
                let mut found = vec![whole.to_vec()];
                if !is_synced {
                    found.extend([whole[..whole.len() / 2].to_vec(), Vec::new()]);
                }
                loose.push((to.as_path(), Some(found)));
            }
            Call::Remove(path) => loose.push((path.as_path(), None)),
            Call::SyncDir => states = applied(&states, &std::mem::take(&mut loose), true),
        }
    }
    applied(&states, &loose, false)
}

fn applied(
    states: &BTreeSet<Files>,
    names: &[(&Path, Option<Vec<Vec<u8>>>)],
    are_synced: bool,
) -> BTreeSet<Files> {
    let mut all = states.clone();
    for (path, found) in names {
        let mut next = if are_synced {
            BTreeSet::new()
        } else {
            all.clone()
        };
        for state in &all {
            match found {
                None => {
                    let mut state = state.clone();
                    state.remove(*path);
                    next.insert(state);
                }
                Some(found) => {
                    for bytes in found {
                        let mut state = state.clone();
                        state.insert((*path).to_owned(), bytes.clone());
                        next.insert(state);
                    }
                }
            }
        }
        all = next;
    }
    all
}

fn updater(repository: &Repository, datastore: Datastore) -> Updater {
    let url: url::Url = BASE.parse().unwrap();
    let config = UpdaterConfig::new(url.clone(), url);
    Updater::new(config, datastore, repository.memory.clone()).unwrap()
}

/// Repositories in the states 1, 2 and 3.
fn history() -> [Repository; 3] {
    [1, 2, 3].map(|number| {
        let mut repository = Repository::new();
        for root in 1..=number {
            repository.root(root);
        }
        repository.targets("targets", number, &[], None);
        repository.publish(number);
        repository
    })
}

fn content(dir: &Path) -> Files {
    let entries = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// A datastore that has seen state 2.
async fn seen_two(dir: &Path, history: &[Repository; 3]) -> Datastore {
    let datastore = Datastore::open(dir).unwrap();
    let root = history[0].root(1);
    init(&datastore, &root, &trust::Rules::default())
        .await
        .unwrap();
    updater(&history[1], datastore.clone())
        .refresh(now())
        .await
        .unwrap();
    datastore
}

/// What has to hold of a datastore that has seen state 2, whatever happened to it since.
async fn holds(dir: &Path, history: &[Repository; 3], context: &str) {
    let before = content(dir);
    let datastore = Datastore::open(dir).unwrap();
    let old = updater(&history[0], datastore.clone()).refresh(now()).await;
    let kind = old.err().map(|error| error.kind());
    assert_eq!(kind, Some(Kind::Rollback), "{context}: {:?}", before.keys());
    let newest = updater(&history[2], datastore).refresh(now()).await;
    let newest = newest.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(newest.snapped().timestamp().version.get(), 3, "{context}");
}

#[tokio::test]
async fn the_power_may_fail_after_any_call() {
    let history = history();
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("md");
    seen_two(&dir, &history).await;
    let before = content(&dir);
    let recorder = Arc::new(Recorder::default());
    let datastore = Datastore::open_on(recorder.clone(), &dir).unwrap();
    updater(&history[2], datastore)
        .refresh(now())
        .await
        .unwrap();
    let calls = recorder.calls.lock().unwrap().clone();
    assert!(
        calls.len() >= 16,
        "root, timestamp, snapshot and targets: {calls:?}"
    );
    let mut judged = BTreeSet::new();
    for end in 0..=calls.len() {
        for state in states(&before, &calls[..end]) {
            if !judged.insert(state.clone()) {
                continue;
            }
            fs::remove_dir_all(&dir).unwrap();
            fs::create_dir(&dir).unwrap();
            for (path, bytes) in &state {
                fs::write(path, bytes).unwrap();
            }
            holds(&dir, &history, &format!("after {end} calls")).await;
        }
    }
    assert!(judged.len() >= 5, "{} states", judged.len());
}

/// The model can lose what is not synced: without the sync of the file there are states with half of it.
#[test]
fn what_is_not_synced_may_be_lost() {
    let (part, name) = (PathBuf::from(".part"), PathBuf::from("name"));
    let whole = [
        Call::Fill(part.clone(), b"new!".to_vec()),
        Call::Sync(part.clone()),
        Call::Rename(part, name.clone()),
        Call::SyncDir,
    ];
    let before = Files::from([(name.clone(), b"old".to_vec())]);
    let of = |calls: &[Call]| {
        let states = states(&before, calls).into_iter();
        states
            .map(|mut it| it.remove(&name).unwrap())
            .collect::<BTreeSet<_>>()
    };
    let [old, new] = [b"old".to_vec(), b"new!".to_vec()];
    assert_eq!(of(&whole), BTreeSet::from([new.clone()]));
    assert_eq!(of(&whole[..3]), BTreeSet::from([old.clone(), new.clone()]));
    let unsynced = [whole[0].clone(), whole[2].clone(), Call::SyncDir];
    assert_eq!(
        of(&unsynced),
        BTreeSet::from([new, b"ne".to_vec(), Vec::new()])
    );
}

#[tokio::test]
async fn a_disk_that_is_full_from_any_call_on() {
    let history = history();
    let mut failed = 0;
    for most in 0.. {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("md");
        seen_two(&dir, &history).await;
        let recorder = Arc::new(Recorder {
            full_after: Some(most),
            ..Recorder::default()
        });
        let datastore = Datastore::open_on(recorder, &dir).unwrap();
        let updated = updater(&history[2], datastore).refresh(now()).await;
        let unfinished = |path: &PathBuf| path.to_string_lossy().ends_with(".part");
        assert!(
            !content(&dir).keys().any(unfinished),
            "nothing is left behind"
        );
        holds(&dir, &history, &format!("full after {most} calls")).await;
        match updated {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, ClientError::File { .. }), "{error}"),
        }
        failed += 1;
    }
    assert!(failed >= 16, "{failed}");
}

/// A folder as the first version of this program left it is kept in `tests/data`: it is read, and its floor
/// counts.
#[tokio::test]
async fn a_folder_of_an_older_version() {
    let history = history();
    let home = tempfile::tempdir().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/datastore-1");
    for (path, bytes) in content(&kept) {
        fs::write(home.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    holds(home.path(), &history, "a folder of an older version").await;
}

/// Two updaters, each with a lock of its own as two processes have it: both end in the newest state.
#[tokio::test]
async fn two_update_at_once() {
    let history = history();
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("md");
    seen_two(&dir, &history).await;
    for _ in 0..8 {
        let one = updater(&history[2], Datastore::open(&dir).unwrap());
        let other = updater(&history[1], Datastore::open(&dir).unwrap());
        let (one, other) = tokio::join!(one.refresh(now()), other.refresh(now()));
        assert_eq!(one.unwrap().snapped().timestamp().version.get(), 3);
        // The older state is taken before the newer one, or refused after it.
        if let Err(error) = other {
            assert_eq!(error.kind(), Kind::Rollback);
        }
    }
    holds(&dir, &history, "two at once").await;
}
