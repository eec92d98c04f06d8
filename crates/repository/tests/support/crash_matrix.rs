//! Work that dies at each of its writes, wherever state and store are.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use countersign_repository::{Repository, TickOptions};

use super::checker::Checker;
use super::fuse::{Failure, Fuse, failing_parts};
use super::{Ceremony, Reader, Site, Warm, crash_developers, published_at, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

/// What is under way when the process dies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// Files are published.
    Files,
    /// Files, together with a set of offline roles and a new online key.
    Rotation,
    /// Files, together with four times as many bins and a new online key.
    Rebin,
    /// A release of one project whose developers sign, with a new maintainer, and the first of another.
    Developers,
    /// What nobody needs any more is deleted.
    Sweep,
}

impl Work {
    /// The people whose keys it needs.
    pub fn ceremony(self) -> Ceremony {
        match self {
            Self::Developers => Ceremony::with_claims(),
            _ => Ceremony::new(),
        }
    }
}

/// Does `work` with a fuse of `writes`, starts again, and checks; says whether the fuse blew.
fn die_and_recover(site: &dyn Site, work: Work, writes: usize, failure: Failure) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = work.ceremony();
    let (now, expected) = prepare(site, folder.path(), &mut ceremony, work);
    let mut checker = Checker::new(&folder.path().join("repository"));
    let context = format!("{work:?}, {writes} writes, {failure:?}");
    let mut judge = || {
        let looked = checker.look(now);
        looked.unwrap_or_else(|wrong| panic!("{wrong}: {context}"))
    };
    let before = judge();
    let fuse = Fuse::new(writes, failure);
    let mut index = failing_parts(site.parts(folder.path()), &fuse);
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
        let after = judge();
        assert!(
            after == before || after.files.len() == expected.len(),
            "a mixture: {context}"
        );
    }
    drop(index);

    let mut index = site.open(folder.path());
    index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    if work == Work::Sweep {
        index.sweep(now).unwrap();
        assert!(index.sweep(now).unwrap().objects.is_empty());
    }
    assert_eq!(judge().files.len(), expected.len(), "{context}");
    let readers = [
        Reader::of(&index, &ceremony, now),
        Reader::after(&index, &warm, now),
    ];
    for path in &expected {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        for reader in &readers {
            let found = reader.file(&name);
            assert!(found.is_some(), "{name}: {context}");
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
    if work == Work::Developers {
        crash_developers::check(&index, &readers, &context);
    }
    if work == Work::Rebin {
        assert_eq!(index.settings().layout.count.get(), 64, "{context}");
    }
    let status = index.status(now).unwrap();
    assert_eq!((status.pending, status.unfinished), (0, false));
    assert_eq!(status.waiting_sets, 0);
    died
}

/// The one moment of a rotation without overlap at which clients have to wait: the root names another
/// timestamp key already, the timestamp of before stands still.
fn is_between_root_and_timestamp(index: &Repository) -> bool {
    let metadata = index.store_folder().unwrap().join("metadata");
    let timestamp = std::fs::read_to_string(metadata.join("timestamp.json")).unwrap();
    metadata.join("2.root.json").exists() && timestamp.contains("\"version\":1}")
}

/// Brings a repository to the moment before the work; says when that is, and which files there will be.
pub fn prepare(
    site: &dyn Site,
    folder: &Path,
    ceremony: &mut Ceremony,
    work: Work,
) -> (DateTime<Utc>, Vec<PathBuf>) {
    let mut index = published_at(site, folder, ceremony);
    index.add_files(&samples(), start()).unwrap();
    let mut expected = samples();
    let now = match work {
        Work::Files => start(),
        Work::Developers => {
            index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
            expected.extend(crash_developers::release(folder, ceremony, &mut index));
            start()
        }
        Work::Rotation | Work::Rebin => {
            if work == Work::Rebin {
                ceremony.rebin(64, policy::Encoding::PathHashPrefixes);
            }
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
    };
    (now, expected)
}

/// Every write of a kind of work may be the last, or every `step`th where that takes long: all of them in
/// `tests/long`. Says how many there are.
pub fn exhaust(site: &dyn Site, work: Work, step: usize) -> usize {
    let is_long = std::env::var_os("COUNTERSIGN_LONG_ROUNDS").is_some();
    let step = if is_long { 1 } else { step };
    let mut most = 0;
    for failure in [Failure::Lost, Failure::Reported] {
        let mut writes = 0;
        while die_and_recover(site, work, writes, failure) {
            writes += step;
        }
        most = most.max(writes);
    }
    most
}
