//! Plans a renewal: new versions with the same keys and fresh expiries.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use draft::{BINS_PREFIX, BinLayout, DraftDocument};
use index::BinCount;
use metadata::{
    DelegatedRoles, Expiry, KeyId, PublicKey, Role, RoleKeys, RoleName, Root, Targets, Version,
};
use policy::{Encoding, Policy};

use crate::description::Description;
use crate::event::{POLICY_FILE, bins_entry, first_bin};
use crate::folder::Folder;
use crate::genesis::Planned;
use crate::slot::{Payload, Slot, parse_published};
use crate::{CeremonyError, Event, EventFlaw, HeldKey, KeyRole, Kind};

/// What is renewed, and from what.
#[derive(Clone, Copy, Debug)]
pub struct RenewPlan<'a> {
    /// The policy, as text: it is frozen in the event.
    pub policy: &'a str,
    /// The time of planning; lifetimes count from here.
    pub now: DateTime<Utc>,
    /// A folder with the published `VERSION.ROLE.json` of root, targets and bins; other files in it
    /// are left alone, and the highest version of each role counts.
    pub published: &'a Path,
    /// An earlier event that names the holders of the keys.
    pub after: Option<&'a Event>,
    /// Whether root is renewed.
    pub root: bool,
    /// Whether targets is renewed.
    pub targets: bool,
    /// Whether bins is renewed.
    pub bins: bool,
}

impl Event {
    /// Writes a new event folder for a renewal and opens it.
    pub fn plan_renew(path: &Path, plan: &RenewPlan<'_>) -> Result<Self, CeremonyError> {
        if !(plan.root || plan.targets || plan.bins) {
            return Err(CeremonyError::NothingToRenew);
        }
        let policy = Policy::parse(plan.policy).map_err(|source| CeremonyError::Policy {
            path: POLICY_FILE.into(),
            source,
        })?;
        let bins_role = Role::Delegated(RoleName::parse(BINS_PREFIX)?);
        let folder = Folder::new(plan.published);
        let root: Payload<Root> = latest(&folder, &Role::Root)?;
        let targets: Payload<Targets> = latest(&folder, &Role::Targets)?;
        let bins: Payload<Targets> = latest(&folder, &bins_role)?;
        let layout = layout_of(&bins.document, &folder)?;
        let mut description =
            Description::new(Kind::Renew, Expiry::at(plan.now), plan.policy, layout);
        for (role, keys, listed) in keys_of(&root.document, &targets.document, &bins.document) {
            description.add_keys(role, &held(plan.after, keys, listed))?;
        }
        let lifetimes = &policy.roles;
        let next = |lifetime: TimeDelta| Expiry::at(plan.now + lifetime);
        let new_root = renewed(&root, plan.root, next(lifetimes.root.lifetime))?;
        let new_targets = renewed(&targets, plan.targets, next(lifetimes.targets.lifetime))?;
        let new_bins = renewed(&bins, plan.bins, next(lifetimes.bins.lifetime))?;
        Planned {
            root: Slot::planned(Role::Root, new_root, Some(root)),
            targets: Slot::planned(Role::Targets, new_targets, Some(targets)),
            bins: Slot::planned(bins_role, new_bins, Some(bins)),
            description,
            policy_text: plan.policy,
            policy,
            layout,
            now: plan.now,
        }
        .write(path)
    }
}

/// A document whose version and expiry can be moved on, everything else kept: members this program
/// does not know too (TUF 4).
trait Renew: DraftDocument + Clone {
    fn renew(&mut self, version: Version, expires: Expiry);
}

impl Renew for Root {
    fn renew(&mut self, version: Version, expires: Expiry) {
        self.version = version;
        self.expires = expires;
    }
}

impl Renew for Targets {
    fn renew(&mut self, version: Version, expires: Expiry) {
        self.version = version;
        self.expires = expires;
    }
}

fn renewed<R: Renew>(
    published: &Payload<R>,
    wanted: bool,
    expires: Expiry,
) -> Result<Option<R>, CeremonyError> {
    if !wanted {
        return Ok(None);
    }
    let mut new = published.document.clone();
    new.renew(published.document.version().next()?, expires);
    Ok(Some(new))
}

/// The highest version of a role in a folder of published metadata. Its signatures are counted when
/// the event is opened.
fn latest<R: DraftDocument>(folder: &Folder, role: &Role) -> Result<Payload<R>, CeremonyError> {
    let suffix = format!(".{}", role.file_name());
    let versions = folder.list("")?.into_iter().filter_map(|name| {
        let number = name.strip_suffix(&suffix)?.parse().ok()?;
        Version::new(number).ok()
    });
    let version = versions.max().ok_or_else(|| {
        let role = role.clone();
        EventFlaw::Missing { role }.at(folder.path())
    })?;
    let name = role.versioned_file_name(version);
    let bytes = folder.read(&name)?;
    let document: R = parse_published(&bytes).map_err(|flaw| flaw.at(folder.file(&name)))?;
    Ok(Payload { document, bytes })
}

fn layout_of(bins: &Targets, folder: &Folder) -> Result<BinLayout, CeremonyError> {
    let (count, encoding) = match bins.delegations.as_ref().map(|list| &list.roles) {
        Some(DelegatedRoles::Succinct(roles)) => (roles.count(), Encoding::Succinct),
        Some(DelegatedRoles::Listed(roles)) => (roles.len() as u64, Encoding::PathHashPrefixes),
        None => (0, Encoding::PathHashPrefixes),
    };
    let count = BinCount::new(count).map_err(|_| {
        let found = count.to_string();
        let what = "number of bins";
        EventFlaw::Value { what, found }.at(folder.path())
    })?;
    Ok(BinLayout { count, encoding })
}

type Listed = BTreeMap<KeyId, PublicKey>;

/// Keys of every role as published.
fn keys_of<'a>(
    root: &'a Root,
    targets: &'a Targets,
    bins: &'a Targets,
) -> Vec<(KeyRole, &'a RoleKeys, &'a Listed)> {
    let mut out = vec![
        (KeyRole::Root, &root.root, &root.keys),
        (KeyRole::Targets, &root.targets, &root.keys),
        (KeyRole::Snapshot, &root.snapshot, &root.keys),
        (KeyRole::Timestamp, &root.timestamp, &root.keys),
    ];
    out.extend(bins_entry(targets).map(|(keys, entry)| (KeyRole::Bins, &entry.keys, keys)));
    if let (Some(keys), Some(list)) = (first_bin(bins), &bins.delegations) {
        out.push((KeyRole::BinN, keys, &list.keys));
    }
    out
}

/// The keys with the names of their holders, as the earlier event knows them.
fn held(after: Option<&Event>, keys: &RoleKeys, listed: &Listed) -> Vec<HeldKey> {
    let name = |id: &KeyId| match after {
        Some(event) => event.holder(id),
        None => format!("holder of {}", id.short()),
    };
    keys.keyids
        .iter()
        .filter_map(|id| {
            let (holder, key) = (name(id), listed.get(id)?.clone());
            Some(HeldKey { holder, key })
        })
        .collect()
}
