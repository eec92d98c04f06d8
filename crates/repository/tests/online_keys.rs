//! One online key for all roles, or one each.

mod support;

use std::fs;

use countersign_repository::{Repository, RepositoryError, TickOptions};
use metadata::{Document, Snapshot, Wire};
use support::{Ceremony, Reader, Warm, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

/// How many bins the published snapshot lists, and how many of them by hash.
fn bins_listed(index: &Repository, version: u64) -> (usize, usize) {
    let path = format!("metadata/{version}.snapshot.json");
    let file = fs::read(index.store_folder().unwrap().join(path)).unwrap();
    let snapshot = Snapshot::parse(Wire::parse(&file, 9).unwrap().signed).unwrap();
    let bins: Vec<_> = snapshot
        .entries()
        .filter(|(metapath, _)| metapath.starts_with("bins-"))
        .collect();
    let hashed = bins
        .iter()
        .filter(|(_, file)| file.hashes.is_some())
        .count();
    (bins.len(), hashed)
}

#[test]
fn three_keys_serve_three_roles_and_the_snapshot_lists_bins_by_hash() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    ceremony.tell_online_keys_apart();
    let mut index = support::published(folder.path(), &ceremony);
    assert_eq!(bins_listed(&index, 1), (16, 16));
    index.add_files(&samples(), start()).unwrap();
    let other = |error: &keys::KeyError| matches!(error, keys::KeyError::DifferentKey { .. });
    for missing in 0..3 {
        let refused = index.tick(&ceremony.only(missing), start(), AT_ONCE);
        assert!(
            matches!(&refused, Err(RepositoryError::Key { source, .. }) if other(source)),
            "{refused:?}"
        );
    }
    let warm = Warm::of(&index, start());
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(bins_listed(&index, 2), (16, 16));
    Reader::of(&index, &ceremony, start());
    Reader::after(&index, &warm, start());
}

#[test]
fn a_timestamp_alone_needs_the_timestamp_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    ceremony.tell_online_keys_apart();
    let mut index = support::published(folder.path(), &ceremony);
    let policy = index.settings().policy.clone();
    // Policy lives: the timestamp is due first, or together with the snapshot.
    let half = policy.online.renew_below(policy.roles.timestamp.lifetime);
    let now = start() + (policy.roles.timestamp.lifetime - half);
    let plan = index.plan_at(now, TickOptions::default()).unwrap();
    let done = index.tick(&ceremony.only(0), now, TickOptions::default());
    assert_eq!(
        done.is_ok(),
        plan.snapshot.is_none() && plan.bins.is_empty()
    );
    assert!(plan.timestamp.is_some());
}

#[test]
fn one_key_lists_bins_by_version_until_the_snapshot_key_parts_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    assert_eq!(bins_listed(&index, 1), (16, 0));
    ceremony.replace_snapshot_key();
    let set = ceremony.renewal(folder.path(), start(), 2);
    index.apply_set(&set, start()).unwrap();
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(report.bins, 0, "the bins keep their key");
    assert_eq!(
        bins_listed(&index, 2),
        (16, 16),
        "those signed before are listed by hash as well"
    );
    Reader::of(&index, &ceremony, start());
}
