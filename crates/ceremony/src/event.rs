//! An event, read from its folder and checked for agreement with itself. Who has signed is looked at
//! elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use draft::{
    BINS_PREFIX, BinLayout, CLAIMED, ClaimsExport, Linted, RECENTLY_CLAIMED, is_claimed_shard,
};
use metadata::{KeyId, Role, RoleName, Root, Sha256, Targets};
use policy::Policy;

use crate::claim::read_claims;
use crate::description::{self, Description, KeyPart, PayloadPart, check_holder};
use crate::folder::Folder;
use crate::slot::Slot;
use crate::voucher::{entry, first_delegation, recently_claimed};
use crate::{CeremonyError, EventFlaw, KeyRole, Kind};

/// Name of the frozen policy.
pub(crate) const POLICY_FILE: &str = "policy.toml";

/// A ceremony, open.
#[derive(Debug)]
pub struct Event {
    pub(crate) folder: Folder,
    /// SHA-256 of `ceremony.toml`.
    pub(crate) digest: Sha256,
    pub(crate) description: Description,
    pub(crate) policy: Policy,
    pub(crate) policy_text: String,
    pub(crate) layout: BinLayout,
    pub(crate) planned: DateTime<Utc>,
    pub(crate) root: Slot<Root>,
    pub(crate) targets: Slot<Targets>,
    pub(crate) bins: Slot<Targets>,
    /// `claimed`, where targets delegates to it, then the shards that the event signs.
    pub(crate) claimed: Vec<Slot<Targets>>,
    /// The claims that a shard is made from.
    pub(crate) claims: Option<ClaimsExport>,
    /// Who holds which key.
    pub(crate) holders: BTreeMap<KeyId, Vec<String>>,
    /// Who takes the steps that need no key.
    pub(crate) actor: String,
}

/// Who takes the steps that need no key, unless somebody is named.
pub(crate) const ADMINISTRATOR: &str = "administrator";

/// The payloads that passed every rule.
pub(crate) struct LintedEvent {
    pub(crate) root: Option<Linted<Root>>,
    pub(crate) targets: Option<Linted<Targets>>,
    pub(crate) bins: Option<Linted<Targets>>,
    pub(crate) claimed: Vec<Linted<Targets>>,
}

impl LintedEvent {
    /// All of them that are signed as targets roles.
    pub(crate) fn targets_roles(&self) -> impl Iterator<Item = &Linted<Targets>> {
        self.targets.iter().chain(&self.bins).chain(&self.claimed)
    }
}

impl Event {
    /// Reads an event and checks that its parts agree: digests, versions, expiries, keys.
    pub fn open(path: &Path) -> Result<Self, CeremonyError> {
        let folder = Folder::new(path);
        let at = folder.file(description::FILE);
        let bytes = folder.read(description::FILE)?;
        let description = Description::parse(&at, &bytes)?;
        let (policy, policy_text) = read_policy(&folder, &description)?;
        let bins = Role::Delegated(RoleName::parse(BINS_PREFIX)?);
        let event = Self {
            layout: description.layout(&at)?,
            planned: description.planned(&at)?.instant(),
            root: Slot::read(&folder, &description, Role::Root)?,
            targets: Slot::read(&folder, &description, Role::Targets)?,
            bins: Slot::read(&folder, &description, bins)?,
            claimed: claimed_slots(&folder, &description)?,
            claims: read_claims(&folder, &description)?,
            holders: holders(&description, &at)?,
            actor: ADMINISTRATOR.to_owned(),
            digest: Sha256::of(&bytes),
            folder,
            description,
            policy,
            policy_text,
        };
        event.check_parts()?;
        event.check_previous()?;
        event.check_keys()?;
        event.check_claims()?;
        Ok(event)
    }

    /// The same event with another name in the transcript for steps that need no key, which else
    /// are the administrator's.
    pub fn acting_as(mut self, name: &str) -> Result<Self, CeremonyError> {
        self.check_actor(name)?;
        name.clone_into(&mut self.actor);
        Ok(self)
    }

    /// SHA-256 of `ceremony.toml`, which names the digests of policy and payloads: the number that
    /// tells whether two people look at the same event.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    /// What the ceremony is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.description.kind
    }

    /// The policy frozen in the event.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Its text, for an event that follows.
    #[must_use]
    pub fn policy_text(&self) -> &str {
        &self.policy_text
    }

    /// The bins of the index.
    #[must_use]
    pub fn layout(&self) -> BinLayout {
        self.layout
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The names of the holders of a key; the short key id if nobody is named.
    pub(crate) fn holder(&self, keyid: &KeyId) -> String {
        match self.holders.get(keyid) {
            Some(names) => names.join(" and "),
            None => keyid.short().to_owned(),
        }
    }

    /// Runs every rule over every payload, as of `now`.
    pub(crate) fn lint(&self, now: DateTime<Utc>) -> Result<LintedEvent, CeremonyError> {
        let root = self.root.current()?;
        let mut claimed = Vec::new();
        for slot in &self.claimed {
            claimed.extend(slot.lint(self, now, Some(root))?);
        }
        Ok(LintedEvent {
            claimed,
            root: self.root.lint(self, now, None)?,
            targets: self.targets.lint(self, now, Some(root))?,
            bins: self.bins.lint(self, now, Some(root))?,
        })
    }

    /// The roles that are to be signed, with the bytes to sign.
    pub(crate) fn payloads(&self) -> Vec<(&Role, &[u8])> {
        let mut out: Vec<(&Role, &[u8])> = Vec::new();
        out.extend(self.root.payload());
        out.extend(self.targets.payload());
        out.extend(self.bins.payload());
        out.extend(self.claimed.iter().filter_map(Slot::payload));
        out
    }

    /// Every slot of a targets role.
    pub(crate) fn targets_slots(&self) -> impl Iterator<Item = &Slot<Targets>> {
        [&self.targets, &self.bins].into_iter().chain(&self.claimed)
    }

    /// The document of `claimed` in force once the event is published, where there is one.
    pub(crate) fn claimed_in_force(&self) -> Option<&Targets> {
        let mut slots = self.claimed.iter();
        let slot = slots.find(|slot| slot.role.name() == CLAIMED)?;
        slot.current().ok()
    }

    /// Every payload and published file is the one the description names, and no other is there.
    fn check_parts(&self) -> Result<(), CeremonyError> {
        for (folder, parts) in [
            ("payload", &self.description.payload),
            ("previous", &self.description.previous),
        ] {
            let expected: BTreeSet<String> = parts.iter().map(file_name).collect();
            for name in self.folder.list(folder)? {
                if !expected.contains(&name) {
                    return Err(EventFlaw::Stray.at(self.folder.file(folder).join(name)));
                }
            }
        }
        Ok(())
    }

    /// The documents list exactly the keys that the description names holders for.
    pub(crate) fn check_keys(&self) -> Result<(), CeremonyError> {
        let root = self.root.current()?;
        let (targets, bins) = (self.targets.current()?, self.bins.current()?);
        let claimed = self.claimed_in_force();
        if claimed.is_none() && entry(targets, CLAIMED).is_some() {
            let role = Role::Delegated(RoleName::parse(CLAIMED)?);
            return Err(EventFlaw::Missing { role }.at(self.folder.path()));
        }
        let listed = |role: KeyRole| -> BTreeSet<&KeyId> {
            let of = |name| entry(targets, name).map(|(_, entry)| &entry.keys);
            let keys = match role {
                KeyRole::Root => Some(&root.root),
                KeyRole::Targets => Some(&root.targets),
                KeyRole::Snapshot => Some(&root.snapshot),
                KeyRole::Timestamp => Some(&root.timestamp),
                KeyRole::Bins => of(BINS_PREFIX),
                KeyRole::BinN => first_delegation(bins),
                KeyRole::Claimed => of(CLAIMED),
                KeyRole::ClaimedShard => claimed.and_then(first_delegation),
            };
            keys.into_iter().flat_map(|keys| &keys.keyids).collect()
        };
        for role in KeyRole::ALL {
            let serves = |part: &&KeyPart| part.roles.contains(&role);
            let parts: Vec<&KeyPart> = self.description.key.iter().filter(serves).collect();
            let people: BTreeSet<&str> = parts.iter().map(|part| part.holder.as_str()).collect();
            let named: BTreeSet<&str> = parts.iter().map(|part| part.keyid.as_str()).collect();
            if people.len() != parts.len() || named.len() != parts.len() {
                let role = role.as_str();
                return Err(EventFlaw::HolderTwice { role }.at(self.folder.file(description::FILE)));
            }
            let listed: BTreeSet<&str> = listed(role).into_iter().map(KeyId::as_str).collect();
            if named != listed {
                let role = role.as_str();
                return Err(EventFlaw::Keys { role }.at(self.folder.file(description::FILE)));
            }
        }
        // What the bins' keys sign online, and no other key: nobody is named for it apart.
        let of_bins: BTreeSet<&KeyId> = listed(KeyRole::BinN);
        let recently_claimed = recently_claimed(targets);
        if recently_claimed
            .is_some_and(|keys| keys.keyids.iter().collect::<BTreeSet<_>>() != of_bins)
        {
            let role = RECENTLY_CLAIMED;
            return Err(EventFlaw::Keys { role }.at(self.folder.file(description::FILE)));
        }
        self.check_former_holders()
    }

    /// One person counts once for the published root too.
    fn check_former_holders(&self) -> Result<(), CeremonyError> {
        let mut people = BTreeSet::new();
        let old = self.root.previous.iter();
        for keyid in old.flat_map(|old| &old.document.root.keyids) {
            if !people.insert(self.holder(keyid)) {
                let role = "the published root";
                return Err(EventFlaw::HolderTwice { role }.at(self.folder.file(description::FILE)));
            }
        }
        Ok(())
    }
}

pub(crate) fn file_name(part: &PayloadPart) -> String {
    // Role names come from `ceremony.toml`; those that are none match no file of the event.
    format!("{}.{}.json", part.version, part.role)
}

/// The slots of `claimed` and of the shards that the description names.
fn claimed_slots(
    folder: &Folder,
    description: &Description,
) -> Result<Vec<Slot<Targets>>, CeremonyError> {
    let parts = description.payload.iter().chain(&description.previous);
    let names: BTreeSet<&str> = parts.map(|part| part.role.as_str()).collect();
    // `claimed` comes before `claimed-SS` in the order of names.
    let names = names
        .into_iter()
        .filter(|name| *name == CLAIMED || is_claimed_shard(name));
    names
        .map(|name| Slot::read(folder, description, Role::Delegated(RoleName::parse(name)?)))
        .collect()
}

fn read_policy(
    folder: &Folder,
    description: &Description,
) -> Result<(Policy, String), CeremonyError> {
    let (path, bytes) = (folder.file(POLICY_FILE), folder.read(POLICY_FILE)?);
    let found = Sha256::of(&bytes);
    let expected =
        Sha256::parse(&description.policy).map_err(|error| EventFlaw::from(error).at(&path))?;
    if found != expected {
        return Err(EventFlaw::Digest { expected, found }.at(path));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let policy = Policy::parse(&text);
    let policy = policy.map_err(|source| CeremonyError::Policy { path, source })?;
    Ok((policy, text))
}

pub(crate) fn holders(
    description: &Description,
    path: &Path,
) -> Result<BTreeMap<KeyId, Vec<String>>, CeremonyError> {
    let mut holders: BTreeMap<KeyId, Vec<String>> = BTreeMap::new();
    for part in &description.key {
        let held = part.held(path)?;
        holders.entry(held.key.id()).or_default().push(held.holder);
    }
    for part in &description.former {
        check_holder(&part.holder)?;
        let named = holders.insert(KeyId::parse(&part.keyid)?, vec![part.holder.clone()]);
        if named.is_some() {
            let (what, found) = ("former key", part.keyid.clone());
            return Err(EventFlaw::Value { what, found }.at(path));
        }
    }
    Ok(holders)
}
