//! Defects found in another signer, one test each: what went wrong there must not go wrong here.

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use countersign_repository::{Repository, RepositoryError, TickOptions};
use rusqlite::Connection;
use support::watched::watched;
use support::{Ceremony, Reader, samples, start, version};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

/// Defect 1: snapshot and timestamp were renewed only when a bin was due as well.
#[test]
fn timestamp_is_renewed_though_no_bin_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let policy = index.settings().policy.clone();
    let due = policy.roles.timestamp.lifetime
        - policy.online.renew_below(policy.roles.timestamp.lifetime);
    let now = start() + due;
    let bin_left = index.status(now).unwrap().first_bin.unwrap().expires - now;
    let bin_due = bin_left <= policy.online.renew_below(policy.roles.bin_n.lifetime);
    let report = index
        .tick(&ceremony.online(), now, TickOptions::default())
        .unwrap();
    assert_eq!(report.timestamp, Some(version(2)));
    assert_eq!(report.bins > 0, bin_due);
}

/// Defect 2: a forced snapshot was written, and the timestamp that should name it failed.
#[test]
fn no_snapshot_is_published_without_its_timestamp() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let policy = index.settings().policy.clone();
    let mut now = start();
    let mut snapshots = 0;
    for _ in 0..24 {
        now += policy.roles.timestamp.lifetime / 4;
        let report = index
            .tick(&ceremony.online(), now, TickOptions::default())
            .unwrap();
        assert!(report.snapshot.is_none() || report.timestamp.is_some());
        snapshots += u32::from(report.snapshot.is_some());
        Reader::of(&index, &ceremony, now);
    }
    assert!(snapshots > 0);
}

/// Defect 3: a publication that outlived its lock went on without it, then failed.
#[test]
fn a_long_publication_keeps_its_lock_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    drop(support::published(folder.path(), &ceremony));
    let (path, online) = (folder.path().to_owned(), ceremony.online());
    let refusals = Arc::new(Mutex::new((0, 0)));
    let seen = Arc::clone(&refusals);
    let watcher = move |_: &str| {
        // At each write of the first, a second signer tries.
        let mut second = Repository::open(&path).unwrap();
        let refused = second.tick(&online, start(), AT_ONCE);
        let mut seen = seen.lock().unwrap();
        seen.0 += 1;
        seen.1 += u32::from(matches!(refused, Err(RepositoryError::Locked { .. })));
        Ok(())
    };
    let mut index = watched(folder.path(), Box::new(watcher));
    index.add_files(&samples(), start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let (writes, refused) = *refusals.lock().unwrap();
    assert!(writes > 10);
    assert_eq!(writes, refused);
    Reader::of(&index, &ceremony, start());
}

/// Defect 4: every publication went through all roles instead of those that changed.
#[test]
fn only_bins_that_change_are_signed() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    drop(support::published(folder.path(), &ceremony));
    let written = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&written);
    let watcher = move |path: &str| {
        seen.lock().unwrap().push(path.to_owned());
        Ok(())
    };
    let mut index = watched(folder.path(), Box::new(watcher));
    index.add_files(&samples()[..1], start()).unwrap();
    let planned = index.plan_at(start(), AT_ONCE).unwrap().bins.len();
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let bins = written
        .lock()
        .unwrap()
        .iter()
        .filter(|path| path.contains(".bins-"))
        .count();
    assert_eq!((bins, report.bins), (planned, planned));
    assert!(
        (1..=3).contains(&bins),
        "a page, a file, its metadata: {bins}"
    );
}

/// Defect 5: the files of one bin were found by reading all files.
#[test]
fn a_bin_is_read_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    drop(support::repository(folder.path()));
    let db = Connection::open(folder.path().join("state.sqlite")).unwrap();
    for (sql, key) in [
        (
            "SELECT path FROM targets WHERE bin = 3 ORDER BY path",
            "bin=?",
        ),
        (
            "SELECT body FROM files WHERE project = 'x' ORDER BY filename",
            "project=?",
        ),
        (
            "SELECT sha256 FROM names WHERE filename = 'x'",
            "filename=?",
        ),
        (
            "SELECT id FROM changes WHERE outcome IS NULL ORDER BY id",
            "changes_pending",
        ),
    ] {
        let plan: String = db
            .query_row(&format!("EXPLAIN QUERY PLAN {sql}"), [], |row| row.get(3))
            .unwrap();
        assert!(
            plan.contains(key) && !plan.contains("TEMP B-TREE"),
            "{sql}: {plan}"
        );
    }
}

/// Defect 6: an offline-signed role was put after the snapshot that names it, outside the lock, and of
/// two signed at once one was lost.
#[test]
fn offline_roles_are_there_before_they_are_named_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    drop(support::published(folder.path(), &ceremony));
    let written = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&written);
    let watcher = move |path: &str| {
        seen.lock().unwrap().push(path.to_owned());
        Ok(())
    };
    let mut index = watched(folder.path(), Box::new(watcher));
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    let second = index.apply_set(&set, start());
    assert!(
        matches!(second, Err(RepositoryError::Set { .. })),
        "refused aloud, not lost"
    );
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let written = written.lock().unwrap();
    let place = |name: &str| {
        written
            .iter()
            .position(|path| path.ends_with(name))
            .unwrap()
    };
    let snapshot = place("2.snapshot.json");
    assert!(place("2.targets.json") < snapshot && place("2.bins.json") < snapshot);
    assert!(snapshot < place("2.root.json") && place("2.root.json") < place("timestamp.json"));
}

/// Defect 7: `timestamp.json` was truncated and written again in place.
#[test]
fn who_reads_the_timestamp_sees_the_old_one_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let path = index
        .store_folder()
        .unwrap()
        .join("metadata/timestamp.json");
    let old = fs::read(&path).unwrap();
    let mut reader = File::open(&path).unwrap();
    index.add_files(&samples(), start()).unwrap();
    index
        .tick(&ceremony.online(), start() + TimeDelta::seconds(1), AT_ONCE)
        .unwrap();
    let mut seen = Vec::new();
    reader.read_to_end(&mut seen).unwrap();
    assert_eq!(seen, old);
    assert_ne!(fs::read(&path).unwrap(), old);
}
