//! Dies at every write of a publication, in two ways, and starts again: nothing is lost, no object
//! ever has two bodies, and clients of before can update (DESIGN §5).

mod support;

use std::path::Path;

use chrono::{DateTime, Utc};
use countersign_repository::{Repository, TickOptions};
use support::fuse::{Failure, Fuse, failing};
use support::{Ceremony, Reader, Warm, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

/// What is under way when the process dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    /// Files are published.
    Files,
    /// Files, together with a set of offline roles and a new online key.
    Rotation,
    /// What nobody needs any more is deleted.
    Sweep,
}

/// Does `work` with a fuse of `writes`, starts again, and checks; says whether the fuse blew.
fn die_and_recover(work: Work, writes: usize, failure: Failure) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let now = prepare(folder.path(), &mut ceremony, work);
    let fuse = Fuse::new(writes, failure);
    let mut index = failing(folder.path(), &fuse);
    let warm = Warm::of(&index, now);
    let died = match work {
        Work::Sweep => index.sweep(now).is_err(),
        _ => index.tick(&ceremony.online(), now, AT_ONCE).is_err(),
    };
    assert_eq!(died, fuse.blew() && died);
    // Whatever was written: a client sees a whole state, the old or the new.
    if !is_between_root_and_timestamp(&index) {
        Reader::of(&index, &ceremony, now);
        Reader::after(&index, &warm, now);
    }
    drop(index);

    let mut index = Repository::open(folder.path()).unwrap();
    index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    if work == Work::Sweep {
        index.sweep(now).unwrap();
        assert!(index.sweep(now).unwrap().objects.is_empty());
    }
    let readers = [
        Reader::of(&index, &ceremony, now),
        Reader::after(&index, &warm, now),
    ];
    for path in samples() {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        for reader in &readers {
            let found = reader.file(&name);
            assert!(
                found.is_some(),
                "{name}: {work:?}, {writes} writes, {failure:?}"
            );
        }
        let project = index::DistributionFilename::parse(&name)
            .unwrap()
            .project()
            .clone();
        let page = folder
            .path()
            .join(format!("repository/simple/{project}/index.html"));
        assert!(page.exists(), "the plain mirror is rebuilt");
    }
    let status = index.status(now).unwrap();
    assert_eq!((status.pending, status.unfinished), (0, false));
    assert_eq!(status.waiting_sets, 0);
    died
}

/// The one moment of a rotation without overlap at which clients have to wait: the root names another
/// timestamp key already, the timestamp of before stands still.
fn is_between_root_and_timestamp(index: &Repository) -> bool {
    let metadata = index.store_folder().join("metadata");
    let timestamp = std::fs::read_to_string(metadata.join("timestamp.json")).unwrap();
    metadata.join("2.root.json").exists() && timestamp.contains("\"version\":1}")
}

/// Brings a repository to the moment before the work; says when that is.
fn prepare(folder: &Path, ceremony: &mut Ceremony, work: Work) -> DateTime<Utc> {
    let mut index = support::published(folder, ceremony);
    index.add_files(&samples(), start()).unwrap();
    match work {
        Work::Files => start(),
        Work::Rotation => {
            ceremony.replace_online_key();
            let set = ceremony.renewal(folder, start(), 2);
            index.apply_set(&set, start()).unwrap();
            start()
        }
        Work::Sweep => {
            let policy = index.settings().policy.clone();
            let lifetime = policy.roles.timestamp.lifetime;
            index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
            let later = start() + lifetime * 2 + policy.retention.snapshots;
            index.tick(&ceremony.online(), later, AT_ONCE).unwrap();
            later
        }
    }
}

/// Every write of a kind of work may be the last; says how many there are.
fn exhaust(work: Work, step: usize) -> usize {
    let mut most = 0;
    for failure in [Failure::Lost, Failure::Reported] {
        let mut writes = 0;
        while die_and_recover(work, writes, failure) {
            writes += step;
        }
        most = most.max(writes);
    }
    most
}

#[test]
fn every_write_of_a_publication_may_be_the_last() {
    let writes = exhaust(Work::Files, 1);
    assert!(
        writes > 20,
        "a publication of three files has {writes} writes"
    );
}

#[test]
fn every_third_write_of_a_rotation_may_be_the_last() {
    let writes = exhaust(Work::Rotation, 3);
    assert!(writes > 40, "a rotation signs 16 bins: {writes} writes");
}

#[test]
fn every_write_of_a_sweep_may_be_the_last() {
    let writes = exhaust(Work::Sweep, 2);
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
