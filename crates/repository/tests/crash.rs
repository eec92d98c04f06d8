//! Dies at every write of a publication, in two ways, and starts again: nothing is lost, no object
//! ever has two bodies, and clients of before can update (DESIGN §5).

mod support;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use countersign_repository::{ClaimRecord, Repository, SqliteState, State, TickOptions};
use support::checker::Checker;
use support::developers::Team;
use support::fuse::{Failure, Fuse, failing};
use support::{Ceremony, Reader, Warm, key, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

/// What is under way when the process dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
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

const GREETER: &str = "countersign-sample-greeter";
const WORDS: &str = "countersign-sample-words";

/// Does `work` with a fuse of `writes`, starts again, and checks; says whether the fuse blew.
fn die_and_recover(work: Work, writes: usize, failure: Failure) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = match work {
        Work::Developers => Ceremony::with_claims(),
        _ => Ceremony::new(),
    };
    let (now, expected) = prepare(folder.path(), &mut ceremony, work);
    let mut checker = Checker::new(&folder.path().join("repository"));
    let context = format!("{work:?}, {writes} writes, {failure:?}");
    let mut judge = || {
        let looked = checker.look(now);
        looked.unwrap_or_else(|wrong| panic!("{wrong}: {context}"))
    };
    let before = judge();
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
        let after = judge();
        assert!(
            after == before || after.files.len() == expected.len(),
            "a mixture: {context}"
        );
    }
    drop(index);

    let mut index = Repository::open(folder.path()).unwrap();
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
        for (file, role) in [
            (
                "countersign_sample_greeter-1.1-py3-none-any.whl",
                format!("project-{GREETER}"),
            ),
            (
                "countersign_sample_greeter-2.0-py3-none-any.whl",
                format!("project-{GREETER}--alice"),
            ),
            (
                "countersign_sample_words-1.1-py3-none-any.whl",
                format!("project-{WORDS}"),
            ),
        ] {
            for reader in &readers {
                assert_eq!(reader.role_of(file).as_ref(), Some(&role), "{context}");
            }
        }
        assert!(index.claims().unwrap().values().all(ClaimRecord::is_signed));
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
fn prepare(folder: &Path, ceremony: &mut Ceremony, work: Work) -> (DateTime<Utc>, Vec<PathBuf>) {
    let mut index = support::published(folder, ceremony);
    index.add_files(&samples(), start()).unwrap();
    let mut expected = samples();
    let now = match work {
        Work::Files => start(),
        Work::Developers => {
            index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
            expected.extend(release(folder, ceremony, &mut index));
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

/// Two projects of developers: one has released before and does so again with a new maintainer, the other
/// for the first time. Gives the files that come with it.
fn release(folder: &Path, ceremony: &Ceremony, index: &mut Repository) -> Vec<PathBuf> {
    let of = |project: &str| {
        let name = project.replace('-', "_");
        let is_of = |path: &PathBuf| path.to_string_lossy().contains(&name);
        let there: Vec<_> = samples().into_iter().filter(is_of).collect();
        (Team::new(folder, project, 1, start()), there)
    };
    let (greeter, there) = of(GREETER);
    greeter.register(index, start()).unwrap();
    let first = greeter.wheel("1.1");
    greeter
        .release(index, std::slice::from_ref(&first), &there, start())
        .unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();

    let second = greeter.wheel("2.0");
    greeter.delegate("alice", &key(), std::slice::from_ref(&second), start());
    let archive = greeter.pack(std::slice::from_ref(&second), &[], start());
    greeter.send(index, &archive, start()).unwrap();
    let (words, there) = of(WORDS);
    words.register(index, start()).unwrap();
    let third = words.wheel("1.1");
    words
        .release(index, std::slice::from_ref(&third), &there, start())
        .unwrap();
    vec![first, second, third]
}

/// Every write of a kind of work may be the last, or every `step`th where that takes long: all of them in
/// `tests/long`. Says how many there are.
fn exhaust(work: Work, step: usize) -> usize {
    let is_long = std::env::var_os("COUNTERSIGN_LONG_ROUNDS").is_some();
    let step = if is_long { 1 } else { step };
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
fn every_seventh_write_of_a_rebin_may_be_the_last() {
    let writes = exhaust(Work::Rebin, 7);
    assert!(writes > 80, "a rebin signs 64 bins: {writes} writes");
}

#[test]
fn every_third_write_of_developers_releases_may_be_the_last() {
    let writes = exhaust(Work::Developers, 3);
    assert!(writes > 24, "two transactions have {writes} writes");
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

fn all_files(folder: &Path) -> std::collections::BTreeSet<std::path::PathBuf> {
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
