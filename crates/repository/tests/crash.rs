//! Dies at every write of a publication, in two ways, and starts again: nothing is lost, no object
//! ever has two bodies, and clients of before can update (DESIGN §5).

mod support;

use countersign_repository::{Repository, SqliteState, State, TickOptions};
use support::crash_matrix::{Work, exhaust};
use support::fuse::{Failure, Fuse, failing};
use support::{Ceremony, FolderSite, Reader, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

#[test]
fn every_write_of_a_publication_may_be_the_last() {
    let writes = exhaust(&FolderSite, Work::Files, 1);
    assert!(
        writes > 20,
        "a publication of three files has {writes} writes"
    );
}

#[test]
fn every_third_write_of_a_rotation_may_be_the_last() {
    let writes = exhaust(&FolderSite, Work::Rotation, 3);
    assert!(writes > 40, "a rotation signs 16 bins: {writes} writes");
}

#[test]
fn every_seventh_write_of_a_rebin_may_be_the_last() {
    let writes = exhaust(&FolderSite, Work::Rebin, 7);
    assert!(writes > 80, "a rebin signs 64 bins: {writes} writes");
}

#[test]
fn every_third_write_of_developers_releases_may_be_the_last() {
    let writes = exhaust(&FolderSite, Work::Developers, 3);
    assert!(writes > 24, "two transactions have {writes} writes");
}

#[test]
fn every_write_of_a_sweep_may_be_the_last() {
    let writes = exhaust(&FolderSite, Work::Sweep, 2);
    assert!(writes > 10, "a sweep has {writes} writes");
}

/// Work whose timestamp has expired before anybody saw it is given up; its versions stay burned.
#[test]
fn expired_work_is_burned_and_its_versions_are_not_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let lifetime = {
        let index = support::published(folder.path(), &ceremony);
        index.settings().policy.roles.timestamp.lifetime
    };
    let fuse = Fuse::new(3, Failure::Lost);
    let mut index = failing(folder.path(), &fuse);
    index.add_files(&samples(), start()).unwrap();
    assert!(index.tick(&ceremony.online(), start(), AT_ONCE).is_err());
    drop(index);

    let later = start() + lifetime;
    let mut index = Repository::open(folder.path()).unwrap();
    let report = index.tick(&ceremony.online(), later, AT_ONCE).unwrap();
    assert!(report.burned_earlier);
    assert_eq!(
        report.snapshot,
        Some(support::version(3)),
        "version 2 is burned"
    );
    assert_eq!(report.outcomes.len(), 3);
    Reader::of(&index, &ceremony, later);
}

/// After a loss of power names may stand without their bytes. Nothing published refers to them, so
/// recovery puts the journalled bytes over them.
#[test]
fn names_without_bytes_are_put_again() {
    for writes in 1..40 {
        let folder = tempfile::tempdir().unwrap();
        let ceremony = Ceremony::new();
        drop(support::published(folder.path(), &ceremony));
        let before = all_files(&folder.path().join("repository"));
        let fuse = Fuse::new(writes, Failure::Lost);
        let mut index = failing(folder.path(), &fuse);
        index.add_files(&samples(), start()).unwrap();
        let died = index.tick(&ceremony.online(), start(), AT_ONCE).is_err();
        drop(index);
        if !died {
            break;
        }
        let head = SqliteState::open(&folder.path().join("state.sqlite")).unwrap();
        let head_moved = head.staged().unwrap().is_none_or(|(_, moved)| moved);
        drop(head);
        if head_moved {
            // By then everything was flushed.
            continue;
        }
        for path in all_files(&folder.path().join("repository")) {
            if !before.contains(&path) {
                // A name of its own: linked uploads keep their bytes, they were synced.
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, b"").unwrap();
            }
        }
        let mut index = Repository::open(folder.path()).unwrap();
        index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
        let reader = Reader::of(&index, &ceremony, start());
        for path in samples() {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(reader.file(&name).is_some(), "{name} after {writes} writes");
        }
    }
}

fn all_files(folder: &std::path::Path) -> std::collections::BTreeSet<std::path::PathBuf> {
    let mut found = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

/// Files of one release often share their metadata; a crash between them must not lose it.
#[test]
fn bytes_that_a_waiting_change_needs_stay() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let wheel = samples()
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "whl"))
        .unwrap();
    index
        .add_files(std::slice::from_ref(&wheel), start())
        .unwrap();
    let fuse = Fuse::new(5, Failure::Lost);
    drop(index);
    let mut index = failing(folder.path(), &fuse);
    assert!(index.tick(&ceremony.online(), start(), AT_ONCE).is_err());
    drop(index);
    // The same wheel under another tag: other name, same metadata.
    let name = wheel
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .replace("-py3-", "-py2-");
    let sibling = folder.path().join(&name);
    std::fs::copy(&wheel, &sibling).unwrap();
    let mut index = Repository::open(folder.path()).unwrap();
    let intake = index.add_files(&[sibling], start()).unwrap();
    assert_eq!(intake.refused.len(), 0, "{:?}", intake.refused);
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert!(Reader::of(&index, &ceremony, start()).file(&name).is_some());
}
