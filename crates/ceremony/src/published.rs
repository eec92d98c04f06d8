//! What an index publishes now, read from a folder: what every ceremony but the first begins from.

use std::collections::BTreeMap;
use std::path::Path;

use draft::{BINS_PREFIX, BinLayout, DraftDocument, FormerKeys};
use metadata::{KeyId, PublicKey, Role, RoleKeys, RoleName, Root, Targets, Version};

use crate::event::{bins_entry, first_bin};
use crate::folder::Folder;
use crate::slot::{Payload, parse_published};
use crate::{CeremonyError, Event, EventFlaw, HeldKey, KeyRole};

/// The offline roles as published. Their signatures are counted when the event is written.
pub(crate) struct Published {
    pub(crate) root: Payload<Root>,
    pub(crate) targets: Payload<Targets>,
    pub(crate) bins: Payload<Targets>,
    pub(crate) bins_role: Role,
    pub(crate) layout: BinLayout,
    /// The online keys of every root in the folder: used to refuse, so nobody need vouch for the old ones.
    pub(crate) former: FormerKeys,
}

impl Published {
    /// Reads the highest version of each role in a folder.
    pub(crate) fn read(path: &Path) -> Result<Self, CeremonyError> {
        let folder = Folder::new(path);
        let bins_role = Role::Delegated(RoleName::parse(BINS_PREFIX)?);
        let bins: Payload<Targets> = latest(&folder, &bins_role)?;
        Ok(Self {
            root: latest(&folder, &Role::Root)?,
            former: former(&folder)?,
            targets: latest(&folder, &Role::Targets)?,
            layout: layout_of(&bins.document, &folder)?,
            bins,
            bins_role,
        })
    }

    /// The keys of every role, with their holders as the earlier event knows them.
    pub(crate) fn held(&self, after: Option<&Event>) -> BTreeMap<KeyRole, Vec<HeldKey>> {
        keys_of(
            &self.root.document,
            &self.targets.document,
            &self.bins.document,
        )
        .into_iter()
        .map(|(role, keys, listed)| (role, held(after, keys, listed)))
        .collect()
    }
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
