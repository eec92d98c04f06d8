//! A sweep deletes what nobody can need, and nothing else; a repository of schema version 1 is brought
//! forward first.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use countersign_repository::{Repository, RepositoryError, SqliteState, State, TickOptions};
use rusqlite::Connection;
use support::{Ceremony, Reader, Warm, copy_folder, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

fn names() -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    samples().into_iter().map(name).collect()
}

fn objects(index: &Repository) -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(index.store_folder().unwrap(), &mut found);
    found
}

#[test]
fn nothing_goes_while_a_client_may_ask_and_everything_after() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    index.add_files(&samples(), start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let early = Warm::of(&index, start());
    index.remove_files(&names()[..1], start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();

    let policy = index.settings().policy.clone();
    let last = start() + policy.roles.timestamp.lifetime + policy.retention.snapshots;
    let before = objects(&index);
    let mut now = start();
    while now <= last {
        // The index lives on: what is renewed must not delete what the first clients hold.
        index
            .tick(&ceremony.online(), now, TickOptions::default())
            .unwrap();
        assert_eq!(index.plan_sweep(now).unwrap(), index.sweep(now).unwrap());
        assert!(
            before.is_subset(&objects(&index)),
            "nothing of before went at {now}"
        );
        now += policy.roles.timestamp.lifetime / 3;
    }
    early.finds(&names());

    now = last + policy.roles.timestamp.lifetime;
    index
        .tick(&ceremony.online(), now, TickOptions::default())
        .unwrap();
    let planned = index.plan_sweep(now).unwrap();
    assert!(!planned.objects.is_empty());
    assert_eq!(objects(&index).len(), planned.objects.len() + planned.kept);
    assert_eq!(index.sweep(now).unwrap(), planned);
    let gone: Vec<_> = planned.objects.iter().map(ToString::to_string).collect();
    assert!(
        gone.iter().any(|path| path.ends_with("/1.snapshot.json")),
        "{gone:?}"
    );
    assert!(
        gone.iter().any(|path| path.contains(&names()[0])),
        "the removed file: {gone:?}"
    );
    assert!(
        !gone.iter().any(|path| path.contains("root.json")),
        "{gone:?}"
    );
    assert!(
        index.sweep(now).unwrap().objects.is_empty(),
        "a second sweep finds nothing"
    );

    let reader = Reader::of(&index, &ceremony, now);
    assert!(reader.file(&names()[0]).is_none());
    assert!(reader.file(&names()[1]).is_some());
}

#[test]
fn what_comes_back_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    index.add_files(&samples(), start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    index.remove_files(&names()[..1], start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    index.add_files(&samples()[..1], start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let later = long_after(&index);
    index.tick(&ceremony.online(), later, AT_ONCE).unwrap();
    assert!(!index.sweep(later).unwrap().objects.is_empty());
    assert!(
        Reader::of(&index, &ceremony, later)
            .file(&names()[0])
            .is_some()
    );
}

#[test]
fn uploads_nobody_waits_for_go_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    index.add_files(&samples()[..1], start()).unwrap();
    fs::write(folder.path().join("incoming/stray"), b"left by a crash").unwrap();
    let later = long_after(&index);
    let report = index.sweep(later).unwrap();
    assert_eq!(report.uploads, [folder.path().join("incoming/stray")]);
    let just_now = index.plan_sweep(Utc::now()).unwrap();
    assert!(just_now.uploads.is_empty(), "it may be on its way in");
    index.tick(&ceremony.online(), later, AT_ONCE).unwrap();
    assert!(
        Reader::of(&index, &ceremony, later)
            .file(&names()[0])
            .is_some()
    );
}

fn long_after(index: &Repository) -> DateTime<Utc> {
    let policy = &index.settings().policy;
    let lifetime = policy.roles.timestamp.lifetime;
    start() + lifetime + policy.retention.snapshots + lifetime + TimeDelta::seconds(1)
}

fn version_1(folder: &Path) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/version-1");
    copy_folder(&data.join("repository"), &folder.join("repository"));
    fs::create_dir(folder.join("incoming")).unwrap();
    let db = Connection::open(folder.join("state.sqlite")).unwrap();
    db.execute_batch(&fs::read_to_string(data.join("state.sql")).unwrap())
        .unwrap();
}

/// `tests/data/version-1` was written by the program of schema version 1: three files published, the
/// removal of one queued.
#[test]
fn a_repository_of_schema_version_1_is_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    version_1(folder.path());
    is_upgraded(folder.path(), 1);
}

/// The same as version 2 kept it.
#[test]
fn a_repository_of_schema_version_2_is_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    version_1(folder.path());
    let db = Connection::open(folder.path().join("state.sqlite")).unwrap();
    db.execute_batch(include_str!("data/version-2.sql"))
        .unwrap();
    drop(db);
    is_upgraded(folder.path(), 2);
}

/// The same as version 3 kept it.
#[test]
fn a_repository_of_schema_version_3_is_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    version_1(folder.path());
    let db = Connection::open(folder.path().join("state.sqlite")).unwrap();
    db.execute_batch(include_str!("data/version-2.sql"))
        .unwrap();
    db.execute_batch(include_str!("data/version-3.sql"))
        .unwrap();
    drop(db);
    is_upgraded(folder.path(), 3);
}

/// The same as version 4 kept it.
#[test]
fn a_repository_of_schema_version_4_is_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    version_1(folder.path());
    let db = Connection::open(folder.path().join("state.sqlite")).unwrap();
    for step in [
        include_str!("data/version-2.sql"),
        include_str!("data/version-3.sql"),
        include_str!("data/version-4.sql"),
    ] {
        db.execute_batch(step).unwrap();
    }
    drop(db);
    is_upgraded(folder.path(), 4);
    // The change that waited was found under its project.
    let db = Connection::open(folder.path().join("state.sqlite")).unwrap();
    let sql = "SELECT count(*) FROM changes WHERE project LIKE 'countersign-sample-%'";
    let found: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(found, 1);
}

fn is_upgraded(folder: &Path, version: i64) {
    let Err(RepositoryError::Schema { found, expected: 5 }) = Repository::open(folder) else {
        panic!("opened without an upgrade")
    };
    assert_eq!(found, version);
    assert_eq!(Repository::upgrade(folder).unwrap(), version);
    assert_eq!(
        Repository::upgrade(folder).unwrap(),
        5,
        "a second time is nothing"
    );

    let pem = include_str!("data/version-1/online-key.pem");
    let ceremony = Ceremony::with_online_key(pem);
    let mut index = Repository::open(folder).unwrap();
    assert_eq!(index.status(start()).unwrap().pending, 1);
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!((report.outcomes.len(), report.bins > 0), (1, true));
    let reader = Reader::of(&index, &ceremony, start());
    let listed: Vec<bool> = names()
        .iter()
        .map(|name| reader.file(name).is_some())
        .collect();
    assert_eq!(listed, [false, true, true]);

    // Version 1 recorded no history: what it left is kept until its timestamp is long expired.
    assert!(index.sweep(start()).unwrap().objects.is_empty());
    let history = SqliteState::open(&folder.join("state.sqlite"))
        .unwrap()
        .history()
        .unwrap();
    let until = history.unrecorded_until.unwrap() + index.settings().policy.retention.snapshots;
    assert!(index.plan_sweep(until).unwrap().objects.is_empty());
    let swept = index.plan_sweep(until + TimeDelta::seconds(1)).unwrap();
    assert!(
        swept
            .objects
            .iter()
            .any(|path| path.as_str() == "metadata/1.snapshot.json")
    );
}
