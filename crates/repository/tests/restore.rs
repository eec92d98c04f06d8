//! A state restored from a backup: refused, then brought forward from what is published.

mod support;

use std::fs;
use std::path::Path;

use chrono::TimeDelta;
use countersign_repository::{Repository, RepositoryError, TickOptions};
use index::Yanked;
use metadata::Role;
use support::{Ceremony, Reader, Warm, samples, start, version};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

fn names() -> Vec<String> {
    let name = |path: std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    samples().into_iter().map(name).collect()
}

/// Publishes one file, backs the state up, publishes more, and puts the backup back.
fn restored(folder: &Path, ceremony: &Ceremony) -> Repository {
    let mut index = support::published(folder, ceremony);
    index.add_files(&samples()[..1], start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    drop(index);
    let [state, backup] = ["state.sqlite", "backup"].map(|name| folder.join(name));
    fs::copy(&state, &backup).unwrap();

    let mut index = Repository::open(folder).unwrap();
    index.add_files(&samples()[1..], start()).unwrap();
    index
        .yank_files(&names()[1..2], &Yanked::Because("slow".into()), start())
        .unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    index.remove_files(&names()[..1], start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    drop(index);
    for name in ["state.sqlite-wal", "state.sqlite-shm"] {
        let _ = fs::remove_file(folder.join(name));
    }
    fs::copy(&backup, &state).unwrap();
    Repository::open(folder).unwrap()
}

#[test]
fn a_state_behind_what_is_published_signs_and_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = restored(folder.path(), &ceremony);
    let refused = index.tick(&ceremony.online(), start(), AT_ONCE);
    let Err(RepositoryError::StateBehind { ours, published }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((ours, published), (version(2), version(4)));
    let refused = index.sweep(start() + TimeDelta::days(900));
    assert!(matches!(refused, Err(RepositoryError::StateBehind { .. })));
}

#[test]
fn recovery_takes_over_what_is_published_and_goes_forward() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = restored(folder.path(), &ceremony);
    // A file that a cycle put and died before anybody could see it.
    let orphan = index
        .store_folder()
        .unwrap()
        .join("metadata/9.snapshot.json");
    fs::write(orphan, b"signed by a cycle that died").unwrap();
    let warm = Warm::of(&index, start());

    let report = index.recover_from_store(start()).unwrap();
    assert_eq!(report.timestamp, version(4));
    assert_eq!((report.files_found, report.files_gone), (2, 1));
    assert_eq!(report.given_up[&Role::Snapshot], version(9));
    assert!(
        index
            .tick(&ceremony.online(), start(), AT_ONCE)
            .unwrap()
            .timestamp
            .is_none()
    );

    let page = |name: &str| {
        let filename = index::DistributionFilename::parse(name).unwrap();
        let project = filename.project();
        fs::read(
            folder
                .path()
                .join(format!("repository/simple/{project}/index.json")),
        )
        .unwrap()
    };
    let before = page(&names()[1]);
    index
        .yank_files(&names()[1..2], &Yanked::No, start())
        .unwrap();
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(
        (report.snapshot, report.timestamp),
        (Some(version(10)), Some(version(5)))
    );
    index
        .yank_files(&names()[1..2], &Yanked::Because("slow".into()), start())
        .unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(
        page(&names()[1]),
        before,
        "every member of the page was taken over"
    );

    for reader in [
        Reader::of(&index, &ceremony, start()),
        Reader::after(&index, &warm, start()),
    ] {
        let listed: Vec<bool> = names()
            .iter()
            .map(|name| reader.file(name).is_some())
            .collect();
        assert_eq!(listed, [false, true, true]);
    }
    // Nothing that was published between backup and restore is swept early.
    assert!(index.sweep(start()).unwrap().objects.is_empty());
    warm.finds(&names()[1..]);
    let taken = index.add_files(&samples()[1..], start()).unwrap();
    assert!(taken.accepted.iter().all(|file| file.already));
}

#[test]
fn an_expired_repository_can_be_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = restored(folder.path(), &ceremony);
    let later = start() + index.settings().policy.roles.timestamp.lifetime + TimeDelta::hours(1);
    index.recover_from_store(later).unwrap();
    let report = index.tick(&ceremony.online(), later, AT_ONCE).unwrap();
    assert_eq!(report.timestamp, Some(version(5)));
    Reader::of(&index, &ceremony, later);
}

#[test]
fn a_forged_timestamp_does_not_stop_the_signer() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let path = index
        .store_folder()
        .unwrap()
        .join("metadata/timestamp.json");
    let text = fs::read_to_string(&path).unwrap();
    for forged in [
        text.replace("\"version\":1}", "\"version\":99}"),
        "{".to_owned(),
        String::new(),
    ] {
        assert_ne!(forged, text);
        fs::write(&path, &forged).unwrap();
        assert!(
            index.tick(&ceremony.online(), start(), AT_ONCE).is_ok(),
            "{forged}"
        );
    }
    index.add_files(&samples(), start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    Reader::of(&index, &ceremony, start());
}
