//! A renewal after a genesis, and what must stop it.

mod common;

use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use common::{Keys, now, signed};
use countersign_ceremony::{CeremonyError, Event, EventFlaw, KeyRole, Kind, RenewPlan};
use trust::{RootChain, Rules};

fn later() -> DateTime<Utc> {
    now() + TimeDelta::hours(5)
}

fn plan<'a>(published: &'a Path, after: &'a Event) -> RenewPlan<'a> {
    RenewPlan {
        policy: policy::Policy::built_in_text("rehearsal").unwrap(),
        now: later(),
        published,
        after: Some(after),
        roles: &KeyRole::OFFLINE,
    }
}

/// A genesis, signed and combined.
fn published(base: &tempfile::TempDir) -> (Keys, Event) {
    let (keys, path) = signed(base);
    let event = Event::open(&path).unwrap();
    event.combine(now()).unwrap();
    (keys, event)
}

fn sign_all(keys: &Keys, event: &Event) {
    for key in [&keys.root[1], &keys.root[2], &keys.targets, &keys.bins] {
        event.sign(key, later()).unwrap();
    }
}

#[test]
fn the_chain_goes_on() {
    let base = tempfile::tempdir().unwrap();
    let (keys, genesis) = published(&base);
    let set = genesis.publish_set_path();
    let path = base.path().join("renewal");
    let event = Event::plan_renew(&path, &plan(&set, &genesis)).unwrap();
    assert_eq!(event.kind(), Kind::Renew);
    let review = event.review().unwrap();
    assert_eq!(
        review.roles[0].changes,
        [
            "v1 becomes v2",
            "expires 2030-01-01T17:00:00Z instead of 2030-01-01T12:00:00Z"
        ]
    );
    sign_all(&keys, &event);
    let status = event.status().unwrap();
    // Root is counted by the published root's keys and by its own.
    let vouchers: Vec<&str> = status.roles.iter().map(|one| one.voucher).collect();
    assert_eq!(
        vouchers,
        ["the published root", "the new root", "root", "targets"]
    );
    assert_eq!(status.roles[0].signed, ["Bo", "Cleo"]);
    let renewed = event.combine(later()).unwrap();
    Event::open(&path).unwrap().verify().unwrap();
    let first = fs::read(set.join("1.root.json")).unwrap();
    let second = fs::read(renewed.folder.join("2.root.json")).unwrap();
    let chain = RootChain::pinned(&first, Rules::default()).unwrap();
    assert!(chain.advance(&second).unwrap().close(later()).is_ok());
}

#[test]
fn one_role_alone_leaves_the_others_as_published() {
    let base = tempfile::tempdir().unwrap();
    let (keys, genesis) = published(&base);
    let set = genesis.publish_set_path();
    let only_bins = RenewPlan {
        roles: &[KeyRole::Bins, KeyRole::Claimed],
        after: None,
        ..plan(&set, &genesis)
    };
    let event = Event::plan_renew(&base.path().join("bins"), &only_bins).unwrap();
    event.sign(&keys.bins, later()).unwrap();
    let files = event.combine(later()).unwrap().files;
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].file_name(), "2.bins.json");
    event.verify().unwrap();
    let nothing = RenewPlan {
        roles: &[KeyRole::Claimed],
        ..only_bins
    };
    let refused = Event::plan_renew(&base.path().join("nothing"), &nothing);
    assert!(matches!(refused, Err(CeremonyError::NothingToRenew)));
}

/// Nobody is led to renew what clients would not have accepted.
#[test]
fn a_forged_or_missing_predecessor_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let (_, genesis) = published(&base);
    let set = genesis.publish_set_path();
    let path = base.path().join("renewal");
    let targets = set.join("1.targets.json");
    let good = fs::read_to_string(&targets).unwrap();
    fs::write(&targets, good.replace("packages/*/*/*", "packages/*/x/*")).unwrap();
    let refused = Event::plan_renew(&path, &plan(&set, &genesis));
    assert!(
        matches!(refused, Err(CeremonyError::TooFew(_))),
        "{refused:?}"
    );
    fs::write(&targets, &good).unwrap();
    let root = set.join("1.root.json");
    let signed_root = fs::read_to_string(&root).unwrap();
    fs::write(
        &root,
        signed_root.replace("\"threshold\":2", "\"threshold\":1"),
    )
    .unwrap();
    let refused = Event::plan_renew(&path, &plan(&set, &genesis));
    assert!(
        matches!(refused, Err(CeremonyError::Rejected(_))),
        "{refused:?}"
    );
    fs::remove_file(&root).unwrap();
    let refused = Event::plan_renew(&path, &plan(&set, &genesis));
    let missing = |flaw: &EventFlaw| matches!(flaw, EventFlaw::Missing { .. });
    assert!(matches!(&refused, Err(CeremonyError::Event { flaw, .. }) if missing(flaw)));
    assert!(!path.exists());
}

/// An event is checked from its folder alone, so what it follows is in it and is checked too.
#[test]
fn a_predecessor_changed_in_the_event_is_found() {
    let base = tempfile::tempdir().unwrap();
    let (_, genesis) = published(&base);
    let path = base.path().join("renewal");
    Event::plan_renew(&path, &plan(&genesis.publish_set_path(), &genesis)).unwrap();
    common::tamper(
        &path.join("previous/1.bins.json"),
        "\"version\":1",
        "\"version\":2",
    );
    assert!(matches!(
        common::flaw(Event::open(&path)),
        EventFlaw::Digest { .. }
    ));
    fs::write(path.join("previous/0.root.json"), "{}").unwrap();
    assert!(Event::open(&path).is_err());
}
