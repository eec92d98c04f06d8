//! A small index for the rules' tests: the rehearsal policy, its keys, and its documents as the
//! layout draws them.

use chrono::{DateTime, Utc};
use index::BinCount;
use metadata::{
    Expiry, MetaFile, PublicKey, Role, RoleName, Root, Sha256, Snapshot, TargetFile, TargetPath,
    Targets, Timestamp, Version,
};
use policy::{Encoding, Policy};

use super::{Case, Rule};
use crate::{BinLayout, DraftDocument, bins_role, first_root, top_targets};

pub(crate) const ROOT: [u8; 3] = [1, 2, 3];
pub(crate) const TARGETS: u8 = 4;
pub(crate) const BINS: u8 = 5;
pub(crate) const ONLINE: u8 = 6;

pub(crate) fn policy() -> Policy {
    Policy::built_in("rehearsal").unwrap()
}

pub(crate) fn now() -> DateTime<Utc> {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn key(number: u8) -> PublicKey {
    PublicKey::ed25519(&[number; 32])
}

pub(crate) fn layout() -> BinLayout {
    BinLayout {
        count: BinCount::new(16).unwrap(),
        encoding: Encoding::PathHashPrefixes,
    }
}

pub(crate) fn root() -> Root {
    let online = [key(ONLINE)];
    first_root(
        &policy(),
        now(),
        [&ROOT.map(key), &online, &online, &[key(TARGETS)]],
    )
}

pub(crate) fn top() -> Targets {
    top_with(&[key(BINS)])
}

pub(crate) fn top_with(bins_keys: &[PublicKey]) -> Targets {
    top_targets(&policy(), now(), Version::FIRST, bins_keys, &[key(ONLINE)]).unwrap()
}

/// The policy of an index whose developers sign.
pub(crate) fn developers_sign() -> Policy {
    let role = |name, kind| {
        let keys = "keys = 1\nthreshold = 1\nlifetime = \"3h\"";
        format!("[claims.{name}]\nkind = \"{kind}\"\n{keys}\n")
    };
    let claims = [
        Policy::built_in_text("rehearsal").unwrap(),
        "[claims]\nshards = 16\nrecently_claimed_projects = 1_000\nsub_roles_per_project = 8\n",
        &role("claimed", "offline"),
        &role("claimed-shard", "offline"),
        &role("publishers-claimed", "offline"),
        &role("recently-claimed", "online"),
    ];
    Policy::parse(&claims.join("\n")).unwrap()
}

pub(crate) fn top_of(policy: &Policy) -> Targets {
    top_targets(policy, now(), Version::FIRST, &[key(BINS)], &[key(ONLINE)]).unwrap()
}

/// What a rule says of targets under another policy.
pub(crate) fn of_top_in(rule: &Rule, new: &Targets, policy: &Policy) -> Vec<String> {
    found_in(rule, &Role::Targets, new, None, policy)
}

pub(crate) fn bins() -> Targets {
    bins_with(&[key(ONLINE)])
}

pub(crate) fn bins_with(online_keys: &[PublicKey]) -> Targets {
    bins_role(&policy(), now(), Version::FIRST, layout(), online_keys).unwrap()
}

/// A bin that lists one path.
pub(crate) fn bin_listing(path: &str) -> Targets {
    let file = TargetFile::new(3, Sha256::of(b"abc"));
    let expires = Expiry::at(now() + policy().roles.bin_n.lifetime);
    Targets::new(Version::FIRST, expires).with_targets([(TargetPath::parse(path).unwrap(), file)])
}

/// A snapshot that lists `targets`, `bins` and the first bins.
pub(crate) fn snapshot(version: u64, bins: u32) -> Snapshot {
    let expires = Expiry::at(now() + policy().roles.snapshot.lifetime);
    let mut snapshot = Snapshot::new(Version::new(version).unwrap(), expires);
    snapshot.set(&Role::Targets, MetaFile::describing(Version::FIRST, b"x"));
    snapshot.set(&role("bins"), MetaFile::describing(Version::FIRST, b"x"));
    for bin in 0..bins {
        let one = role(&format!("bins-{bin:x}"));
        snapshot.set(&one, MetaFile::version_only(Version::FIRST));
    }
    snapshot
}

pub(crate) fn timestamp(snapshot: MetaFile) -> Timestamp {
    let expires = Expiry::at(now() + policy().roles.timestamp.lifetime);
    Timestamp::new(Version::FIRST, expires, snapshot)
}

pub(crate) fn role(name: &str) -> Role {
    Role::Delegated(RoleName::parse(name).unwrap())
}

/// What one rule says of a draft.
pub(crate) fn found<R: DraftDocument>(
    rule: &Rule,
    drafted: &Role,
    new: &R,
    previous: Option<&R>,
) -> Vec<String> {
    found_in(rule, drafted, new, previous, &policy())
}

pub(crate) fn found_in<R: DraftDocument>(
    rule: &Rule,
    drafted: &Role,
    new: &R,
    previous: Option<&R>,
    policy: &Policy,
) -> Vec<String> {
    let root = root();
    (rule.check)(&Case {
        role: drafted,
        canonical: &new.to_canonical(),
        subject: new.subject(previous),
        now: now(),
        policy,
        root: Some(&root),
        layout: layout(),
        former: None,
    })
}

pub(crate) fn of_root(rule: &Rule, new: &Root) -> Vec<String> {
    found(rule, &Role::Root, new, None)
}

pub(crate) fn of_top(rule: &Rule, new: &Targets) -> Vec<String> {
    found(rule, &Role::Targets, new, None)
}

pub(crate) fn of_bins(rule: &Rule, new: &Targets) -> Vec<String> {
    found(rule, &role("bins"), new, None)
}

pub(crate) fn of_bin(rule: &Rule, name: &str, new: &Targets) -> Vec<String> {
    found(rule, &role(name), new, None)
}

pub(crate) fn of_snapshot(rule: &Rule, new: &Snapshot, previous: Option<&Snapshot>) -> Vec<String> {
    found(rule, &Role::Snapshot, new, previous)
}
