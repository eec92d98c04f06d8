//! A repository from its first set to rotated keys, checked after each step as a client would.

mod support;

use std::fs;
use std::path::PathBuf;

use chrono::TimeDelta;
use countersign_repository::{Outcome, Repository, RepositoryError, Settings, TickOptions};
use keys::KeyError;
use metadata::Role;
use support::{Ceremony, Reader, samples, start, version};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

#[test]
fn first_set_files_removal_and_idleness() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::repository(folder.path());
    let now = start();

    let early = index.tick(&ceremony.online(), now, AT_ONCE);
    assert!(matches!(early, Err(RepositoryError::NoRoles)));

    index
        .apply_set(&ceremony.genesis(folder.path(), now), now)
        .unwrap();
    let report = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!(
        (report.snapshot, report.timestamp),
        (Some(version(1)), Some(version(1)))
    );
    assert_eq!(report.bins, 16);
    assert_eq!(report.offline_roles.len(), 3);

    let intake = index.add_files(&samples(), now).unwrap();
    assert_eq!((intake.accepted.len(), intake.refused.len()), (3, 0));
    assert!(intake.accepted.iter().all(|file| !file.already));
    let report = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!(report.snapshot, Some(version(2)));
    assert!(
        report
            .outcomes
            .iter()
            .all(|(_, outcome)| *outcome == Outcome::Published(version(2)))
    );

    let reader = Reader::of(&index, &ceremony, now);
    for path in samples() {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(reader.file(&name), Some(fs::read(&path).unwrap()), "{name}");
    }
    assert!(
        reader
            .file("countersign_sample_words-9.0-py3-none-any.whl")
            .is_none()
    );

    // Nothing to do: nothing is written, not even a timestamp.
    let idle = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!((idle.snapshot, idle.timestamp), (None, None));
    let again = index.add_files(&samples(), now).unwrap();
    assert!(again.accepted.iter().all(|file| file.already));
    let idle = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!(idle.timestamp, None);

    let gone = samples()[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let removal = index
        .remove_files(&[gone.clone(), "nosuch-1.0.tar.gz".into()], now)
        .unwrap();
    assert_eq!((removal.accepted.len(), removal.refused.len()), (1, 1));
    // Asked twice before the next cycle: what is queued counts as done.
    let second = index
        .remove_files(std::slice::from_ref(&gone), now)
        .unwrap();
    assert!(second.accepted.is_empty());
    let report = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!(Reader::of(&index, &ceremony, now).file(&gone), None);
    assert_eq!(report.outcomes.len(), 1);
}

#[test]
fn changes_that_come_to_nothing_are_answered_without_a_signature() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let now = start();
    index.add_files(&samples(), now).unwrap();
    index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    let name = samples()[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    index
        .remove_files(std::slice::from_ref(&name), now)
        .unwrap();
    let back = index.add_files(&samples()[..1], now).unwrap();
    assert!(!back.accepted[0].already, "a removal is queued");
    // Removed and back again: nothing is left to publish.
    let report = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!((report.timestamp, report.outcomes.len()), (None, 2));
    assert_eq!(index.status(now).unwrap().pending, 0);
}

#[test]
fn names_are_never_reused_and_broken_files_do_not_stop_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let now = start() + TimeDelta::minutes(1);
    index.add_files(&samples(), now).unwrap();
    index.tick(&ceremony.online(), now, AT_ONCE).unwrap();

    let wheel = samples()
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .unwrap();
    let name = wheel.file_name().unwrap();
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    // The same archive with a comment: sound, but other bytes.
    let mut bytes = fs::read(&wheel).unwrap();
    let comment = bytes.len() - 2;
    bytes[comment] = 1;
    bytes.push(b'x');
    fs::write(other.join(name), &bytes).unwrap();
    fs::write(other.join("broken-1.0-py3-none-any.whl"), b"no zip").unwrap();
    fs::write(other.join("readme.txt"), b"no distribution").unwrap();
    fs::create_dir(other.join("folder-1.0.tar.gz")).unwrap();
    let files: Vec<PathBuf> = vec![
        other.join(name),
        other.join("broken-1.0-py3-none-any.whl"),
        other.join("readme.txt"),
        other.join("folder-1.0.tar.gz"),
        other.join("missing-1.0.tar.gz"),
    ];
    let intake = index.add_files(&files, now).unwrap();
    assert!(intake.accepted.is_empty(), "{:?}", intake.accepted);
    let why: Vec<String> = intake
        .refused
        .iter()
        .map(|(_, error)| error.to_string())
        .collect();
    assert_eq!(why.len(), 5, "{why:?}");
    assert!(
        why.iter()
            .any(|why| why.contains("published before with other bytes")),
        "{why:?}"
    );

    // Removed names stay taken.
    let text = name.to_str().unwrap().to_owned();
    index.remove_files(&[text], now).unwrap();
    index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    let intake = index.add_files(&[other.join(name)], now).unwrap();
    assert_eq!(intake.refused.len(), 1);
    // The very same bytes may come back.
    assert_eq!(index.add_files(&[wheel], now).unwrap().accepted.len(), 1);
}

#[test]
fn roles_are_renewed_before_they_lapse_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let policy = index.settings().policy.clone();
    let half = policy.roles.timestamp.lifetime / 2;
    let mut now = start();
    let mut timestamps = 0;
    for _ in 0..12 {
        now += half / 2;
        let report = index
            .tick(&ceremony.online(), now, TickOptions::default())
            .unwrap();
        timestamps += u32::from(report.timestamp.is_some());
        // Every role is current at every moment: the reader refuses expired ones.
        Reader::of(&index, &ceremony, now);
        let again = index
            .tick(&ceremony.online(), now, TickOptions::default())
            .unwrap();
        assert_eq!(again.timestamp, None, "nothing is signed twice");
    }
    assert!((1..=12).contains(&timestamps), "{timestamps}");
}

#[test]
fn a_clock_behind_the_last_signature_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let earlier = start() - TimeDelta::seconds(1);
    let refused = index.tick(&ceremony.online(), earlier, AT_ONCE);
    assert!(matches!(refused, Err(RepositoryError::ClockBehind { .. })));
}

#[test]
fn a_set_signed_by_others_or_altered_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let stranger = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let now = start();

    let renewed = ceremony.renewal(folder.path(), now, 2);
    let altered = folder.path().join("altered");
    fs::create_dir(&altered).unwrap();
    for entry in fs::read_dir(&renewed).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let bent = text.replace("\"terminating\":false", "\"terminating\":true");
        fs::write(altered.join(path.file_name().unwrap()), bent).unwrap();
    }
    assert!(index.apply_set(&altered, now).is_err());
    let foreign = stranger.renewal(folder.path(), now, 3);
    assert!(index.apply_set(&foreign, now).is_err());
    index.apply_set(&renewed, now).unwrap();
    let report = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!(report.offline_roles[0], (Role::Root, version(2)));
    assert_eq!(
        report.bins, 0,
        "the same online key: no bin is signed again"
    );
    Reader::of(&index, &ceremony, now);
}

#[test]
fn the_online_key_rotates_in_one_switch() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    index.add_files(&samples(), start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    ceremony.replace_online_key();
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(report.bins, 16);
    let reader = Reader::of(&index, &ceremony, start());
    let name = samples()[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert!(reader.file(&name).is_some());
}

#[test]
fn a_wrong_online_key_publishes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    index.add_files(&samples(), start()).unwrap();
    let refused = index.tick(&Ceremony::new().online(), start(), AT_ONCE);
    let other = |error: &KeyError| matches!(error, KeyError::DifferentKey { .. });
    assert!(matches!(refused, Err(RepositoryError::Key { source, .. }) if other(&source)));
    // The changes wait; the right key publishes them.
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(report.outcomes.len(), 3);
}

#[test]
fn an_existing_repository_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    support::repository(folder.path());
    let settings = Settings::from_policy(support::POLICY.as_str()).unwrap();
    let second = Repository::init(folder.path(), &settings);
    assert!(matches!(second, Err(RepositoryError::Exists { .. })));
}

#[test]
fn an_altered_store_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let snapshot = index
        .store_folder()
        .unwrap()
        .join("metadata/1.snapshot.json");
    let text = fs::read_to_string(&snapshot)
        .unwrap()
        .replace("\"version\":1", "\"version\":9");
    fs::write(&snapshot, text).unwrap();
    index.add_files(&samples(), start()).unwrap();
    let refused = index.tick(&ceremony.online(), start(), AT_ONCE);
    assert!(matches!(refused, Err(RepositoryError::Store(_))));
}

/// A set can pass by itself and still not be publishable: here nobody at hand holds the online key it
/// names. It is given up, and what was published is renewed as before.
#[test]
fn a_set_that_cannot_be_published_does_not_block_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let online = ceremony.online();
    ceremony.replace_online_key();
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    assert!(index.tick(&online, start(), AT_ONCE).is_err());
    index.add_files(&samples(), start()).unwrap();
    let report = index.tick(&online, start(), AT_ONCE).unwrap();
    assert_eq!(report.outcomes.len(), 3);
    // With the right key the set can be applied again.
    index.apply_set(&set, start()).unwrap();
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(report.offline_roles.len(), 3);
}
