//! Compares two versions of a document, part by part.

use std::collections::{BTreeMap, BTreeSet};

use metadata::{
    DelegatedRole, DelegatedRoles, KeyId, MetaFileRef, PathPattern, PathSet, Role, RoleKeys, Root,
    Snapshot, Targets, Value, Version,
};

use super::Change;
use crate::DraftDocument;
use crate::lints::{Subject, is_bin};

/// Says what changes from `previous` to `new`, the header first.
pub fn difference<R: DraftDocument>(new: &R, previous: Option<&R>) -> Vec<Change> {
    let mut changes = header(new, previous);
    match new.subject(previous) {
        Subject::Root { new, previous } => {
            changes.extend(root_changes(new, previous));
            changes.extend(extra(&new.extra, previous.map(|old| &old.extra)));
        }
        Subject::Targets { new, previous } => {
            changes.extend(delegation_changes(new, previous));
            changes.extend(target_changes(new, previous));
            changes.extend(extra(&new.extra, previous.map(|old| &old.extra)));
        }
        Subject::Snapshot { new, previous } => {
            changes.extend(snapshot_changes(new, previous));
            changes.extend(extra(&new.extra, previous.map(|old| &old.extra)));
        }
        Subject::Timestamp { new, previous } => {
            let from = previous.map(|old| old.snapshot.version);
            let to = Some(new.snapshot.version);
            changes.extend(listed("snapshot.json", from, to));
            changes.extend(extra(&new.extra, previous.map(|old| &old.extra)));
        }
    }
    changes
}

fn header<R: DraftDocument>(new: &R, previous: Option<&R>) -> Vec<Change> {
    let (version, expires) = (new.version(), new.expires());
    let Some(old) = previous else {
        return vec![Change::First { version, expires }];
    };
    let mut changes = Vec::new();
    if old.version() != version {
        let (from, to) = (old.version(), version);
        changes.push(Change::Version { from, to });
    }
    if old.expires() != expires {
        let (from, to) = (old.expires(), expires);
        changes.push(Change::Expires { from, to });
    }
    changes
}

fn root_changes(new: &Root, previous: Option<&Root>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (role, keys) in [
        (Role::Root, &new.root),
        (Role::Targets, &new.targets),
        (Role::Snapshot, &new.snapshot),
        (Role::Timestamp, &new.timestamp),
    ] {
        let old = previous.and_then(|root| root.role_keys(&role));
        changes.extend(key_changes(role.name(), keys, old));
    }
    if previous.is_some_and(|old| old.consistent_snapshot != new.consistent_snapshot) {
        let name = "consistent_snapshot".to_owned();
        changes.push(Change::Member { name });
    }
    changes
}

type Extra = BTreeMap<String, Value>;

fn extra(new: &Extra, previous: Option<&Extra>) -> Vec<Change> {
    let empty = Extra::new();
    let old = previous.unwrap_or(&empty);
    let names: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
    names
        .into_iter()
        .filter(|name| new.get(*name) != old.get(*name))
        .map(|name| Change::Member { name: name.clone() })
        .collect()
}

fn snapshot_changes(new: &Snapshot, previous: Option<&Snapshot>) -> Vec<Change> {
    let entries = |one: &'_ Snapshot| -> BTreeMap<String, Version> {
        let entries = one.entries();
        entries
            .map(|(path, file): (&str, MetaFileRef<'_>)| (path.to_owned(), file.version))
            .collect()
    };
    let (now, old) = (entries(new), previous.map(entries).unwrap_or_default());
    let paths: BTreeSet<&String> = now.keys().chain(old.keys()).collect();
    let changes = paths.into_iter();
    changes
        .filter_map(|path| listed(path, old.get(path).copied(), now.get(path).copied()))
        .collect()
}

fn listed(metapath: &str, from: Option<Version>, to: Option<Version>) -> Option<Change> {
    let metapath = metapath.to_owned();
    (from != to).then_some(Change::Listed { metapath, from, to })
}

fn key_changes(role: &str, new: &RoleKeys, previous: Option<&RoleKeys>) -> Vec<Change> {
    let role = || role.to_owned();
    let old: BTreeSet<&KeyId> = previous.into_iter().flat_map(|keys| &keys.keyids).collect();
    let now: BTreeSet<&KeyId> = new.keyids.iter().collect();
    let added = now.difference(&old).map(|keyid| Change::KeyAdded {
        role: role(),
        keyid: (*keyid).clone(),
    });
    let removed = old.difference(&now).map(|keyid| Change::KeyRemoved {
        role: role(),
        keyid: (*keyid).clone(),
    });
    let (from, to) = (previous.map(|keys| keys.threshold), new.threshold);
    // The number of keys says what a threshold means, so either is worth a line.
    let same = from == Some(to) && old.len() == now.len();
    let threshold = (!same).then(|| Change::Threshold {
        role: role(),
        from,
        to,
        keys: now.len(),
    });
    added.chain(removed).chain(threshold).collect()
}

/// How the bins, which share their keys, are called together.
const ALL_BINS: &str = "bins-*";

/// A delegation as people think of it.
struct Delegated<'a> {
    name: &'a str,
    keys: &'a RoleKeys,
    paths: String,
}

/// The delegations in order; all bins together are one, and stand last.
fn delegated(targets: &Targets) -> Vec<Delegated<'_>> {
    let all_bins = |keys, count: u64, how| Delegated {
        name: ALL_BINS,
        keys,
        paths: format!("their parts of all paths ({count} bins, {how})"),
    };
    match targets.delegations.as_ref().map(|list| &list.roles) {
        None => Vec::new(),
        Some(DelegatedRoles::Succinct(roles)) => {
            vec![all_bins(&roles.keys, roles.count(), "succinct")]
        }
        Some(DelegatedRoles::Listed(roles)) => {
            let (bins, others): (Vec<&DelegatedRole>, Vec<&DelegatedRole>) =
                roles.iter().partition(|role| is_bin(role.name.as_str()));
            let mut out: Vec<Delegated<'_>> = others
                .into_iter()
                .map(|role| Delegated {
                    name: role.name.as_str(),
                    keys: &role.keys,
                    paths: paths_in_words(role),
                })
                .collect();
            let count = bins.len() as u64;
            out.extend(bins.first().map(|one| all_bins(&one.keys, count, "listed")));
            out
        }
    }
}

fn paths_in_words(role: &DelegatedRole) -> String {
    let list = match &role.paths {
        PathSet::Patterns(patterns) => {
            let patterns: Vec<&str> = patterns.iter().map(PathPattern::as_str).collect();
            patterns.join(", ")
        }
        PathSet::HashPrefixes(prefixes) => format!("hashes {}", prefixes.join(", ")),
    };
    if role.terminating {
        format!("{list}, and nobody after it may")
    } else {
        list
    }
}

fn delegation_changes(new: &Targets, previous: Option<&Targets>) -> Vec<Change> {
    let (now, old) = (delegated(new), previous.map(delegated).unwrap_or_default());
    let mut changes = Vec::new();
    for one in &now {
        let role = one.name.to_owned();
        let before = old.iter().find(|other| other.name == one.name);
        match before {
            None => changes.push(Change::DelegationAdded {
                role,
                paths: one.paths.clone(),
            }),
            Some(before) if before.paths != one.paths => changes.push(Change::DelegationPaths {
                role,
                from: before.paths.clone(),
                to: one.paths.clone(),
            }),
            Some(_) => {}
        }
        changes.extend(key_changes(one.name, one.keys, before.map(|one| one.keys)));
    }
    let kept = |one: &&Delegated<'_>| now.iter().any(|other| other.name == one.name);
    for one in old.iter().filter(|one| !kept(one)) {
        let role = one.name.to_owned();
        changes.push(Change::DelegationRemoved { role });
    }
    let order = |list: &[Delegated<'_>], other: &[Delegated<'_>]| -> Vec<String> {
        let both = |one: &&Delegated<'_>| other.iter().any(|two| two.name == one.name);
        list.iter()
            .filter(both)
            .map(|one| one.name.to_owned())
            .collect()
    };
    if order(&now, &old) != order(&old, &now) {
        changes.push(Change::DelegationOrder);
    }
    changes
}

fn target_changes(new: &Targets, previous: Option<&Targets>) -> Option<Change> {
    let old = previous.map(Targets::targets).unwrap_or_default();
    let (mut added, mut changed) = (0, 0);
    for (path, file) in new.targets() {
        match previous.and_then(|old| old.get(path)) {
            None => added += 1,
            Some(before) if before != file => changed += 1,
            Some(_) => {}
        }
    }
    let removed = old
        .iter()
        .filter(|(path, _)| new.get(path).is_none())
        .count();
    (added + removed + changed > 0).then_some(Change::Targets {
        added,
        removed,
        changed,
    })
}
