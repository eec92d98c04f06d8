//! What a status says, as values, as Prometheus text and as a page.

mod support;

use std::fs;

use chrono::TimeDelta;
use countersign_repository::{StoreHealth, StorePath, TickOptions, prometheus_text, status_html};
use metadata::Role;
use support::{Ceremony, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

#[test]
fn a_fresh_index_is_well_and_says_who_signs() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    index.add_files(&samples(), start()).unwrap();
    let status = index.status(start()).unwrap();
    assert_eq!(
        (status.store.clone(), status.alarms.len()),
        (StoreHealth::Intact, 0)
    );
    assert_eq!((status.pending, status.bins), (3, 16));
    assert!(
        status.snapshot_room.used > 0 && status.snapshot_room.used < status.snapshot_room.limit
    );
    assert!(status.role_room.used > 0 && status.role_room.used < status.role_room.limit);
    let policy = &index.settings().policy.roles;
    for (role, expected) in [
        (Role::Root, policy.root),
        (Role::Targets, policy.targets),
        (Role::Snapshot, policy.snapshot),
        (Role::parse("bins").unwrap(), policy.bins),
        (Role::parse("bins-7").unwrap(), policy.bin_n),
    ] {
        let signers = status
            .signers
            .iter()
            .find(|signers| signers.covers(&role))
            .unwrap();
        let expected = (u64::from(expected.threshold), expected.keys as usize);
        assert_eq!((signers.threshold, signers.keys.len()), expected, "{role}");
    }
}

#[test]
fn offline_roles_raise_their_alarms_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let index = support::published(folder.path(), &ceremony);
    let status = index.status(start()).unwrap();
    let root = status
        .roles
        .iter()
        .find(|role| role.role == Role::Root)
        .unwrap();
    let thresholds = index.settings().policy.online.offline_alarms.clone();
    for (level, threshold) in thresholds.iter().enumerate() {
        let now = root.expires - *threshold;
        let status = index.status(now).unwrap();
        let alarm = status
            .alarms
            .iter()
            .find(|alarm| alarm.role == Role::Root)
            .unwrap();
        assert_eq!(
            (alarm.level, alarm.threshold, alarm.expired),
            (level, *threshold, false)
        );
        assert!(
            status
                .alarms
                .iter()
                .all(|alarm| alarm.role != Role::Timestamp)
        );
    }
    let after = index.status(root.expires).unwrap();
    assert!(
        after
            .alarms
            .iter()
            .any(|alarm| alarm.role == Role::Root && alarm.expired)
    );
}

#[test]
fn an_altered_store_shows() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let index = support::published(folder.path(), &ceremony);
    fs::write(
        index
            .store_folder()
            .unwrap()
            .join("metadata/1.targets.json"),
        b"{}",
    )
    .unwrap();
    let status = index.status(start()).unwrap();
    let path = StorePath::parse("metadata/1.targets.json").unwrap();
    assert_eq!(status.store, StoreHealth::Altered(path));
    assert!(prometheus_text(&status, start()).contains("countersign_store_intact 0\n"));
    assert!(status_html(&status, start()).contains("1.targets.json is not what was published"));
}

#[test]
fn prometheus_text_is_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let index = support::published(folder.path(), &ceremony);
    let lifetime = index.settings().policy.roles.timestamp.lifetime;
    let now = start() + TimeDelta::seconds(5);
    let text = prometheus_text(&index.status(now).unwrap(), now);
    let left = lifetime.num_seconds() - 5;
    let line = format!("countersign_role_seconds_to_expiry{{role=\"timestamp\"}} {left}\n");
    assert!(text.contains(&line), "{text}");
    assert!(text.contains("{role=\"bin-n\"}"), "{text}");
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.strip_suffix(" gauge").unwrap().to_owned();
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(name.split('{').next().unwrap(), family);
            value.parse::<f64>().unwrap();
        }
    }
    assert!(text.ends_with('\n'));
}

#[test]
fn the_page_is_self_contained_and_tells_the_worst() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::repository(folder.path());
    let empty = status_html(&index.status(start()).unwrap(), start());
    assert!(empty.contains("Nothing is published yet"));
    index
        .apply_set(&ceremony.genesis(folder.path(), start()), start())
        .unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let status = index.status(start()).unwrap();
    let page = status_html(&status, start());
    assert!(page.contains("Every role is current."), "{page}");
    for outside in [
        "http:", "https:", "src=", "href=", "<script", "@import", "url(",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    for tag in [
        "table", "tr", "td", "thead", "tbody", "main", "html", "body",
    ] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    let expired = status.roles.iter().map(|role| role.expires).min().unwrap();
    assert!(status_html(&status, expired).contains("has expired: clients refuse the index."));
    let root = status
        .roles
        .iter()
        .find(|role| role.role == Role::Root)
        .unwrap()
        .expires;
    let soon = root - TimeDelta::minutes(1);
    assert!(index.status(soon).unwrap().alarms.len() >= 2);
}
