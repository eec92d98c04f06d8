//! What an index publishes now, read from a folder: what every ceremony but the first begins from.

use std::collections::BTreeMap;
use std::path::Path;

use draft::{BINS_PREFIX, BinLayout, CLAIMED, DraftDocument, FormerKeys};
use metadata::{
    DelegatedRoles, Expiry, KeyId, PublicKey, Role, RoleKeys, RoleName, Root, Targets, Version,
};

use crate::folder::Folder;
use crate::renew::renewed;
use crate::slot::{Payload, Slot, parse_published};
use crate::voucher::{bins_entry, entry, first_delegation};
use crate::{CeremonyError, Event, EventFlaw, HeldKey, KeyRole};

/// The offline roles as published. Their signatures are counted when the event is written.
pub(crate) struct Published {
    pub(crate) root: Payload<Root>,
    pub(crate) targets: Payload<Targets>,
    pub(crate) bins: Payload<Targets>,
    pub(crate) bins_role: Role,
    pub(crate) layout: BinLayout,
    /// `claimed`, where targets delegates to it.
    pub(crate) claimed: Option<Payload<Targets>>,
    folder: Folder,
    /// The online keys of every root in the folder: used to refuse, so nobody need vouch for the old ones.
    pub(crate) former: FormerKeys,
}

impl Published {
    /// Reads the highest version of each role in a folder.
    pub(crate) fn read(path: &Path) -> Result<Self, CeremonyError> {
        let folder = Folder::new(path);
        let bins_role = Role::Delegated(RoleName::parse(BINS_PREFIX)?);
        let bins: Payload<Targets> = latest(&folder, &bins_role)?;
        let targets: Payload<Targets> = latest(&folder, &Role::Targets)?;
        let claimed = match entry(&targets.document, CLAIMED) {
            Some((_, entry)) => Some(latest(&folder, &Role::Delegated(entry.name.clone()))?),
            None => None,
        };
        Ok(Self {
            claimed,
            root: latest(&folder, &Role::Root)?,
            former: former(&folder)?,
            targets,
            layout: layout_of(&bins.document, &folder)?,
            bins,
            bins_role,
            folder,
        })
    }

    /// The keys of every role, with their holders as the earlier event knows them.
    pub(crate) fn held(&self, after: Option<&Event>) -> BTreeMap<KeyRole, Vec<HeldKey>> {
        keys_of(
            &self.root.document,
            &self.targets.document,
            &self.bins.document,
            self.claimed.as_ref().map(|one| &one.document),
        )
        .into_iter()
        .map(|(role, keys, listed)| (role, held(after, keys, listed)))
        .collect()
    }

    /// The shards that `claimed` delegates to.
    pub(crate) fn shards(&self) -> Vec<RoleName> {
        let claimed = self.claimed.as_ref();
        let list = claimed.and_then(|claimed| claimed.document.delegations.as_ref());
        match list.map(|list| &list.roles) {
            Some(DelegatedRoles::Listed(roles)) => {
                roles.iter().map(|role| role.name.clone()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A shard as published.
    pub(crate) fn shard(&self, name: &RoleName) -> Result<Payload<Targets>, CeremonyError> {
        latest(&self.folder, &Role::Delegated(name.clone()))
    }

    /// Every shard, with the projects it has and another expiry.
    pub(crate) fn renewed_shards(
        &self,
        expires: Expiry,
    ) -> Result<Vec<Slot<Targets>>, CeremonyError> {
        let renew = |name: &RoleName| {
            let old = self.shard(name)?;
            let new = renewed(&old, true, expires)?;
            Ok(Slot::planned(Role::Delegated(name.clone()), new, Some(old)))
        };
        self.shards().iter().map(renew).collect()
    }

    /// `claimed` as it stays, where there is one: whoever signs it holds keys in this event.
    pub(crate) fn kept_claimed(&self) -> Result<Vec<Slot<Targets>>, CeremonyError> {
        let slot = |old: &Payload<Targets>| {
            Ok(Slot::planned(claimed_role_name()?, None, Some(old.clone())))
        };
        self.claimed.iter().map(slot).collect()
    }
}

/// The role `claimed`.
pub(crate) fn claimed_role_name() -> Result<Role, CeremonyError> {
    Ok(Role::Delegated(RoleName::parse(CLAIMED)?))
}

/// The highest version of a role in a folder of published metadata.
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
    BinLayout::read(bins).ok_or_else(|| {
        let found = "one that no index has".to_owned();
        let what = "number of bins";
        EventFlaw::Value { what, found }.at(folder.path())
    })
}

fn former(folder: &Folder) -> Result<FormerKeys, CeremonyError> {
    let mut roots: Vec<Root> = Vec::new();
    for name in folder.list("")? {
        let is_root = name.strip_suffix(".root.json").is_some_and(|version| {
            version
                .parse()
                .is_ok_and(|number| Version::new(number).is_ok())
        });
        if is_root {
            let document = parse_published(&folder.read(&name)?);
            roots.push(document.map_err(|flaw| flaw.at(folder.file(&name)))?);
        }
    }
    Ok(FormerKeys::of(&roots))
}

pub(crate) type Listed = BTreeMap<KeyId, PublicKey>;

/// Keys of every role as documents list them.
pub(crate) fn keys_of<'a>(
    root: &'a Root,
    targets: &'a Targets,
    bins: &'a Targets,
    claimed: Option<&'a Targets>,
) -> Vec<(KeyRole, &'a RoleKeys, &'a Listed)> {
    let mut out = vec![
        (KeyRole::Root, &root.root, &root.keys),
        (KeyRole::Targets, &root.targets, &root.keys),
        (KeyRole::Snapshot, &root.snapshot, &root.keys),
        (KeyRole::Timestamp, &root.timestamp, &root.keys),
    ];
    out.extend(bins_entry(targets).map(|(keys, entry)| (KeyRole::Bins, &entry.keys, keys)));
    out.extend(entry(targets, CLAIMED).map(|(keys, entry)| (KeyRole::Claimed, &entry.keys, keys)));
    for (role, delegator) in [
        (KeyRole::BinN, Some(bins)),
        (KeyRole::ClaimedShard, claimed),
    ] {
        let keys = delegator.and_then(first_delegation);
        let list = delegator.and_then(|one| one.delegations.as_ref());
        out.extend(keys.zip(list).map(|(keys, list)| (role, keys, &list.keys)));
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
