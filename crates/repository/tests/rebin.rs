//! Another number of bins, published in one switch with new online keys: clients of every kind come
//! over, nothing queued meanwhile is lost, and without new keys it is refused.

mod support;

use std::fs;
use std::path::Path;

use countersign_repository::{Repository, RepositoryError, TickOptions};
use metadata::{Document, Snapshot, Wire};
use policy::Encoding::{self, PathHashPrefixes, Succinct};
use support::checker::Checker;
use support::{Ceremony, Reader, Warm, samples, start, version};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

/// Names of the sample files.
fn names() -> Vec<String> {
    let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    samples().iter().map(name).collect()
}

/// The bins that a snapshot lists.
fn bins_listed(index: &Repository, version: u64) -> usize {
    let path = format!("metadata/{version}.snapshot.json");
    let file = fs::read(index.store_folder().unwrap().join(path)).unwrap();
    let snapshot = Snapshot::parse(Wire::parse(&file, 9).unwrap().signed).unwrap();
    let bins = snapshot
        .entries()
        .filter(|(path, _)| path.starts_with("bins-"));
    bins.count()
}

/// An index with one file published, and the rest waiting.
fn half_published(folder: &Path, ceremony: &Ceremony) -> Repository {
    let mut index = support::published(folder, ceremony);
    let (first, rest) = (&samples()[..1], &samples()[1..]);
    index.add_files(first, start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    index.add_files(rest, start()).unwrap();
    index
}

fn rebinned(ceremony: &mut Ceremony, count: u64, encoding: Encoding) {
    ceremony.rebin(count, encoding);
    ceremony.replace_online_key();
}

#[test]
fn bins_of_every_kind_follow_each_other_in_one_switch() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let mut index = half_published(folder.path(), &ceremony);
    let mut checker = Checker::new(&folder.path().join("repository"));
    assert_eq!(checker.look(start()).unwrap().files.len(), 1);
    let kinds = [
        (64, PathHashPrefixes),
        (1_024, Succinct),
        (2, PathHashPrefixes),
        (8, Succinct),
        (8, PathHashPrefixes),
    ];
    for (round, (count, encoding)) in (2..).zip(kinds) {
        let warm = Warm::of(&index, start());
        let seen: Vec<String> = match round {
            2 => names()[..1].to_vec(),
            _ => names(),
        };
        rebinned(&mut ceremony, count, encoding);
        let set = ceremony.renewal(folder.path(), start(), round);
        index.apply_set(&set, start()).unwrap();
        // What was queued before the switch stands in the new bins; nothing of it waits.
        let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
        assert_eq!(report.bins as u64, count);
        assert_eq!(report.snapshot, Some(version(round + 1)));
        assert_eq!(bins_listed(&index, round + 1) as u64, count);
        assert_eq!(index.status(start()).unwrap().bins as u64, count);
        assert_eq!(checker.look(start()).unwrap().files.len(), names().len());
        // The one in the middle of an update ends it on what it began with; others come over.
        warm.finds(&seen);
        let (fresh, came_over) = (
            Reader::of(&index, &ceremony, start()),
            Reader::after(&index, &warm, start()),
        );
        for name in names() {
            assert!(fresh.file(&name).is_some(), "{name} in {count} bins");
            assert!(came_over.file(&name).is_some(), "{name} in {count} bins");
        }
    }
    // Life goes on in the bins of now.
    let gone = index.remove_files(&names()[..1], start()).unwrap();
    assert!(gone.refused.is_empty(), "{:?}", gone.refused);
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert!((1..=8).contains(&report.bins), "{report:?}");
    assert_eq!(
        checker.look(start()).unwrap().files.len(),
        names().len() - 1
    );
}

/// Clients would refuse every snapshot from then on, so nobody is allowed to sign one.
#[test]
fn bins_do_not_leave_while_an_online_key_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    ceremony.tell_online_keys_apart();
    let mut index = half_published(folder.path(), &ceremony);
    let in_use = ceremony.online();
    ceremony.rebin(64, PathHashPrefixes);
    let refused = |index: &mut Repository, set: &Path| {
        let error = index.apply_set(set, start()).unwrap_err();
        let RepositoryError::Refused(refused) = &error else {
            panic!("{error}");
        };
        let rules: Vec<_> = refused.findings.iter().map(|one| one.rule).collect();
        assert_eq!(rules, ["bins-keep-names"], "{error}");
        fs::remove_dir_all(set).unwrap();
    };
    let set = ceremony.renewal(folder.path(), start(), 2);
    refused(&mut index, &set);
    ceremony.replace_snapshot_key();
    let set = ceremony.renewal(folder.path(), start(), 2);
    refused(&mut index, &set);
    // The queue goes on, in the bins there are.
    let report = index.tick(&in_use, start(), AT_ONCE).unwrap();
    assert!(report.bins > 0 && report.outcomes.len() == 2, "{report:?}");
    assert_eq!(bins_listed(&index, 3), 16);
    // With all keys new it passes.
    ceremony.tell_online_keys_apart();
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!((report.bins, bins_listed(&index, 4)), (64, 64));
}

/// A key that was in use once before brings its snapshots back with it: a client that has slept since
/// then would hold the new snapshot against them.
#[test]
fn a_key_that_comes_back_is_no_new_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let mut index = half_published(folder.path(), &ceremony);
    let (first, sleeper) = (ceremony.online_keys(), Warm::of(&index, start()));
    ceremony.replace_online_key();
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    ceremony.take_back_online(first);
    ceremony.rebin(64, PathHashPrefixes);
    let set = ceremony.renewal(folder.path(), start(), 3);
    let error = index.apply_set(&set, start()).unwrap_err();
    assert!(error.to_string().contains("bins-keep-names"), "{error}");
    Reader::after(&index, &sleeper, start());
}

/// A signer that runs for long notices that another process has changed the bins.
#[test]
fn another_process_sees_the_bins_of_now() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let mut index = half_published(folder.path(), &ceremony);
    let mut long_running = Repository::open(folder.path()).unwrap();
    long_running
        .tick(&ceremony.online(), start(), AT_ONCE)
        .unwrap();
    rebinned(&mut ceremony, 4, Succinct);
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    index.remove_files(&names()[..1], start()).unwrap();
    let report = long_running.tick(&ceremony.online(), start(), AT_ONCE);
    assert!((1..=4).contains(&report.unwrap().bins));
    let mut checker = Checker::new(&folder.path().join("repository"));
    assert_eq!(
        checker.look(start()).unwrap().files.len(),
        names().len() - 1
    );
}

/// A backup of before a rebin follows what is published, bins included (reference F18).
#[test]
fn a_backup_of_before_is_brought_forward() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let mut index = half_published(folder.path(), &ceremony);
    let backup = folder.path().join("backup.sqlite");
    let state = folder.path().join("state.sqlite");
    {
        let db = rusqlite::Connection::open(&state).unwrap();
        db.execute("VACUUM INTO ?1", [backup.to_str().unwrap()])
            .unwrap();
    }
    rebinned(&mut ceremony, 64, Succinct);
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    drop(index);
    for name in ["state.sqlite-wal", "state.sqlite-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
    }
    fs::copy(&backup, &state).unwrap();
    let mut index = Repository::open(folder.path()).unwrap();
    let behind = index.tick(&ceremony.online(), start(), AT_ONCE);
    assert!(
        matches!(behind, Err(RepositoryError::StateBehind { .. })),
        "{behind:?}"
    );
    let report = index.recover_from_store(start()).unwrap();
    assert_eq!(report.files_found, names().len() - 1);
    assert_eq!(index.settings().layout.count.get(), 64);
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let mut checker = Checker::new(&folder.path().join("repository"));
    assert_eq!(checker.look(start()).unwrap().files.len(), names().len());
}

/// What nobody can need any more of the bins of before goes with the next sweeps.
#[test]
fn the_bins_of_before_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let mut index = half_published(folder.path(), &ceremony);
    rebinned(&mut ceremony, 64, PathHashPrefixes);
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert!(index.sweep(start()).unwrap().objects.is_empty());
    let policy = index.settings().policy.clone();
    let later = start() + policy.roles.timestamp.lifetime * 2 + policy.retention.snapshots;
    index.tick(&ceremony.online(), later, AT_ONCE).unwrap();
    let swept = index.sweep(later).unwrap().objects;
    let old = |name: &str| swept.iter().any(|path| path.as_str().ends_with(name));
    assert!(old(".bins-0.json") && old(".bins-f.json"), "{swept:?}");
    Reader::of(&index, &ceremony, later);
}

/// What the trial says is what the switch then comes to, and the trial itself leaves nothing behind.
#[test]
fn a_trial_foretells_the_switch_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let mut index = half_published(folder.path(), &ceremony);
    let count = index::BinCount::new(64).unwrap();
    let to = draft::BinLayout {
        count,
        encoding: PathHashPrefixes,
    };
    // With the key in use the bins of before could not leave.
    let error = index
        .try_rebin(to, &ceremony.online(), start())
        .unwrap_err();
    assert!(error.to_string().contains("bins-keep-names"), "{error}");
    let same = index.try_rebin(index.settings().layout, &ceremony.online(), start());
    assert!(
        matches!(same, Err(RepositoryError::SameBins { count: 16 })),
        "{same:?}"
    );
    rebinned(&mut ceremony, 64, PathHashPrefixes);
    let status = index.status(start()).unwrap();
    let trial = index.try_rebin(to, &ceremony.online(), start()).unwrap();
    assert_eq!((trial.from.count.get(), trial.to), (16, to));
    assert_eq!(index.status(start()).unwrap(), status);
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let after = index.status(start()).unwrap();
    assert_eq!(after.targets, trial.targets);
    // But for the length of a `bins` that nobody has signed yet.
    let apart = after.snapshot_room.used.abs_diff(trial.snapshot.used);
    assert!(apart < 8, "{after:?} {trial:?}");
    let path = folder.path().join("repository/metadata/2.bins.json");
    let bins = fs::read(path).unwrap();
    let bytes = Wire::parse(&bins, 9).unwrap().canonical.len() as u64;
    assert_eq!(bytes, trial.bins_role.used);
    let largest = after.role_room.used.min(trial.largest_bin.used);
    assert_eq!(largest, trial.largest_bin.used);
}

/// A role that nothing delegates to any more stays listed, is counted, and goes with the online keys; not
/// with one of them, and no role that is delegated to goes.
#[test]
fn tombstones_stay_until_both_online_keys_are_new() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    ceremony.tell_online_keys_apart();
    drop(half_published(folder.path(), &ceremony));
    let db = rusqlite::Connection::open(folder.path().join("state.sqlite")).unwrap();
    // As the state is after a role lost its delegator.
    db.execute(
        "INSERT INTO roles SELECT 'project-gone', version, sha256, length, expires, listing
         FROM roles WHERE role = 'bins'",
        [],
    )
    .unwrap();
    drop(db);
    let mut index = Repository::open(folder.path()).unwrap();
    let listed = |index: &Repository, version: u64| {
        let path = format!("metadata/{version}.snapshot.json");
        let file = fs::read(index.store_folder().unwrap().join(path)).unwrap();
        String::from_utf8(file)
            .unwrap()
            .contains("project-gone.json")
    };
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let status = index.status(start()).unwrap();
    assert_eq!(status.tombstones.len(), 1, "{:?}", status.tombstones);
    assert!(listed(&index, 3));
    let metrics = countersign_repository::prometheus_text(&status, start());
    assert!(metrics.contains("countersign_tombstones 1\n"), "{metrics}");
    let warm = Warm::of(&index, start());

    ceremony.replace_snapshot_key();
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert!(listed(&index, 4), "the timestamp's key stays");
    Reader::after(&index, &warm, start());

    ceremony.tell_online_keys_apart();
    let set = ceremony.renewal(folder.path(), start(), 3);
    index.apply_set(&set, start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert!(!listed(&index, 5));
    assert_eq!(bins_listed(&index, 5), 16);
    assert!(index.status(start()).unwrap().tombstones.is_empty());
    Reader::after(&index, &warm, start());
}
