//! Snapshot deltas as an index publishes them (decision 0021): listed, applicable, carried along, swept.

mod support;

use std::fs;
use std::path::PathBuf;

use chrono::TimeDelta;
use countersign_repository::{Repository, TickOptions};
use metadata::{Document, Timestamp, Version, Wire};
use support::checker::Checker;
use support::{Ceremony, samples, start, version};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

fn timestamp(index: &Repository) -> Timestamp {
    let file = fs::read(
        index
            .store_folder()
            .unwrap()
            .join("metadata/timestamp.json"),
    )
    .unwrap();
    Timestamp::parse(Wire::parse(&file, 9).unwrap().signed).unwrap()
}

/// The versions from which there are deltas to the snapshot of now.
fn listed(index: &Repository) -> Vec<u64> {
    let listed = deltas::listed(&timestamp(index));
    listed.keys().map(|from| Version::get(*from)).collect()
}

fn at(index: &Repository, new: u64, from: u64) -> PathBuf {
    let name = deltas::file_name(version(new), version(from));
    index.store_folder().unwrap().join("metadata").join(name)
}

/// An index with as many snapshots after its first, a minute apart.
fn published(folder: &std::path::Path, ceremony: &Ceremony, more: i32) -> Repository {
    let mut index = support::published(folder, ceremony);
    let samples = samples();
    for (minute, file) in (1..=more).zip(samples[..3].iter().cycle()) {
        let now = start() + TimeDelta::minutes(minute.into());
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if minute <= 3 {
            index.add_files(std::slice::from_ref(file), now).unwrap();
        } else {
            let yanked = index::Yanked::Because(format!("minute {minute}"));
            index.yank_files(&[name], &yanked, now).unwrap();
        }
        index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    }
    index
}

#[test]
fn each_of_the_last_snapshots_leads_to_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let index = published(folder.path(), &ceremony, 10);
    let count = index.settings().policy.deltas.unwrap().snapshots;
    assert_eq!(count, 8);
    assert_eq!(timestamp(&index).snapshot.version, version(11));
    assert_eq!(listed(&index), [3, 4, 5, 6, 7, 8, 9, 10]);
    let mut checker = Checker::new(index.store_folder().unwrap());
    checker.look(start() + TimeDelta::minutes(10)).unwrap();
    fs::write(at(&index, 11, 9), b"other").unwrap();
    let wrong = checker.look(start() + TimeDelta::minutes(10)).unwrap_err();
    assert!(wrong.contains("11-from-9"), "{wrong}");
}

#[test]
fn a_renewed_timestamp_lists_them_still() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = published(folder.path(), &ceremony, 2);
    let before = timestamp(&index);
    let life = before.expires.instant() - start();
    let due = before.expires.instant() - life / 3;
    let report = index.tick(&ceremony.online(), due, TickOptions::default());
    let report = report.unwrap();
    let after = timestamp(&index);
    assert!(after.version > before.version);
    if report.snapshot.is_none() {
        assert_eq!(deltas::listed(&after), deltas::listed(&before));
    }
    assert!(!deltas::listed(&after).is_empty());
    Checker::new(index.store_folder().unwrap())
        .look(due)
        .unwrap();
}

#[test]
fn what_the_store_has_altered_or_lost_is_no_start_and_no_hindrance() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = published(folder.path(), &ceremony, 3);
    let metadata = index.store_folder().unwrap().join("metadata");
    let altered = fs::read_to_string(metadata.join("1.snapshot.json")).unwrap();
    let altered = altered.replacen("\"version\":1", "\"version\":9", 1);
    fs::write(metadata.join("1.snapshot.json"), altered).unwrap();
    fs::copy(
        metadata.join("3.snapshot.json"),
        metadata.join("2.snapshot.json"),
    )
    .unwrap();
    let now = start() + TimeDelta::minutes(4);
    let name = samples()[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    index.remove_files(&[name], now).unwrap();
    index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!(listed(&index), [3, 4], "1 is not signed, 2 is another");
}

#[test]
fn other_snapshot_keys_start_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let mut index = published(folder.path(), &ceremony, 2);
    assert!(!listed(&index).is_empty());
    ceremony.replace_online_key();
    let now = start() + TimeDelta::minutes(3);
    let set = ceremony.renewal(folder.path(), now, 2);
    index.apply_set(&set, now).unwrap();
    index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!(listed(&index), [0_u64; 0]);
}

#[test]
fn a_delta_is_swept_with_the_snapshot_it_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = published(folder.path(), &ceremony, 2);
    let (old, new) = (at(&index, 2, 1), at(&index, 3, 2));
    assert!(old.exists() && new.exists());
    index.sweep(start() + TimeDelta::minutes(3)).unwrap();
    assert!(old.exists() && new.exists());
    let policy = index.settings().policy.clone();
    let mut now = start();
    let long = policy.roles.timestamp.lifetime * 2 + policy.retention.snapshots;
    while now < start() + long {
        now += policy.roles.timestamp.lifetime / 3;
        index
            .tick(&ceremony.online(), now, TickOptions::default())
            .unwrap();
    }
    let swept = index.sweep(now).unwrap();
    let is_swept = |path: &str| swept.objects.iter().any(|it| it.as_str() == path);
    assert!(is_swept("metadata/2.snapshot.json"));
    assert!(is_swept("metadata/deltas/2-from-1.snapshot.zst"));
    assert!(!old.exists());
    Checker::new(index.store_folder().unwrap())
        .look(now)
        .unwrap();
}
