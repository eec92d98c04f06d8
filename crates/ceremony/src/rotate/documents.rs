//! The documents that follow from a change of keys.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use draft::{BINS_PREFIX, BinLayout, CLAIMED, RECENTLY_CLAIMED, bins_role};
use metadata::{DelegatedRoles, Delegations, Expiry, KeyId, PublicKey, RoleKeys, Root, Targets};
use policy::Policy;

use super::Table;
use crate::published::{Published, claimed_role_name, keys_of};
use crate::renew::renewed;
use crate::slot::Slot;
use crate::voucher::recently_claimed;
use crate::{CeremonyError, KeyRole};

/// Everything the new documents are made of.
pub(super) struct New<'a> {
    pub(super) published: &'a Published,
    pub(super) policy: &'a Policy,
    pub(super) now: DateTime<Utc>,
    pub(super) table: &'a Table,
    pub(super) layout: BinLayout,
    pub(super) thresholds: &'a BTreeMap<KeyRole, u32>,
}

impl New<'_> {
    /// The next root, if it lists other keys or thresholds.
    pub(super) fn root(&self) -> Result<Option<Root>, CeremonyError> {
        let roles = [
            KeyRole::Root,
            KeyRole::Timestamp,
            KeyRole::Snapshot,
            KeyRole::Targets,
        ];
        let changes = roles.iter().any(|role| self.changes(*role));
        let expires = self.until(self.policy.roles.root.lifetime);
        let new = renewed(&self.published.root, changes, expires)?;
        Ok(new.map(|mut root| {
            root.root = self.role_keys(KeyRole::Root);
            root.timestamp = self.role_keys(KeyRole::Timestamp);
            root.snapshot = self.role_keys(KeyRole::Snapshot);
            root.targets = self.role_keys(KeyRole::Targets);
            root.keys = roles.iter().flat_map(|role| self.keys(*role)).collect();
            root
        }))
    }

    /// The next targets, if other keys sign it or those of `bins` change.
    pub(super) fn targets(&self) -> Result<Option<Targets>, CeremonyError> {
        let bins_change = self.changes(KeyRole::Bins);
        // `recently-claimed` is signed online with the bins' keys.
        let online_changes = self.changes(KeyRole::BinN)
            && recently_claimed(&self.published.targets.document).is_some();
        let claimed_change = self.changes(KeyRole::Claimed);
        let changes =
            bins_change || online_changes || claimed_change || self.changes(KeyRole::Targets);
        let expires = self.until(self.policy.roles.targets.lifetime);
        let mut new = renewed(&self.published.targets, changes, expires)?;
        if bins_change {
            let list = new.as_mut().and_then(|one| one.delegations.as_mut());
            if let Some(list) = list {
                self.put(list, KeyRole::Bins, |name| name == BINS_PREFIX);
            }
        }
        for (change, role, delegated) in [
            (online_changes, KeyRole::BinN, RECENTLY_CLAIMED),
            (claimed_change, KeyRole::Claimed, CLAIMED),
        ] {
            let list = new.as_mut().and_then(|one| one.delegations.as_mut());
            if let Some(list) = list.filter(|_| change) {
                self.put(list, role, |name| name == delegated);
            }
        }
        Ok(new)
    }

    /// The next bins, if other keys sign it, those of the bins change, or they become others.
    pub(super) fn bins(&self) -> Result<Option<Targets>, CeremonyError> {
        let rebin = self.layout != self.published.layout;
        let online = rebin || self.changes(KeyRole::BinN);
        let changes = online || self.changes(KeyRole::Bins);
        let expires = self.until(self.policy.roles.bins.lifetime);
        let mut new = renewed(&self.published.bins, changes, expires)?;
        if let Some(new) = new.as_mut().filter(|_| rebin) {
            let keys: Vec<PublicKey> = self.keys(KeyRole::BinN).into_values().collect();
            let drawn = bins_role(self.policy, self.now, new.version, self.layout, &keys)?;
            new.delegations = drawn.delegations;
        }
        if online {
            let list = new.as_mut().and_then(|one| one.delegations.as_mut());
            if let Some(list) = list {
                self.put(list, KeyRole::BinN, |_| true);
            }
        }
        Ok(new)
    }

    /// The next `claimed` if other keys sign it or its shards, and then all of these; else as published.
    pub(super) fn claimed(&self) -> Result<Vec<Slot<Targets>>, CeremonyError> {
        let (Some(published), Some(claims)) = (&self.published.claimed, &self.policy.claims) else {
            return Ok(Vec::new());
        };
        let shards_change = self.changes(KeyRole::ClaimedShard);
        let changes = shards_change || self.changes(KeyRole::Claimed);
        let mut new = renewed(published, changes, self.until(claims.claimed.lifetime))?;
        if let Some(list) = new.as_mut().and_then(|one| one.delegations.as_mut()) {
            self.put(list, KeyRole::ClaimedShard, |_| true);
        }
        let mut slots = vec![Slot::planned(
            claimed_role_name()?,
            new,
            Some(published.clone()),
        )];
        if shards_change {
            let expires = self.until(claims.claimed_shard.lifetime);
            slots.extend(self.published.renewed_shards(expires)?);
        }
        Ok(slots)
    }

    fn until(&self, lifetime: TimeDelta) -> Expiry {
        Expiry::at(self.now + lifetime)
    }

    fn keys(&self, role: KeyRole) -> BTreeMap<KeyId, PublicKey> {
        let held = self.table.get(&role).into_iter().flatten();
        held.map(|one| (one.key.id(), one.key.clone())).collect()
    }

    fn role_keys(&self, role: KeyRole) -> RoleKeys {
        let threshold = self.thresholds.get(&role).copied();
        RoleKeys {
            keyids: self.keys(role).into_keys().collect(),
            threshold: threshold.unwrap_or_else(|| self.old(role).map_or(1, |old| old.threshold)),
        }
    }

    fn old(&self, role: KeyRole) -> Option<&RoleKeys> {
        let published = self.published;
        let (root, targets) = (&published.root.document, &published.targets.document);
        let claimed = published.claimed.as_ref().map(|one| &one.document);
        keys_of(root, targets, &published.bins.document, claimed)
            .into_iter()
            .find_map(|(one, keys, _)| (one == role).then_some(keys))
    }

    /// Whether the role gets other keys or another threshold.
    fn changes(&self, role: KeyRole) -> bool {
        let new = self.role_keys(role);
        let set = |keys: &RoleKeys| keys.keyids.iter().cloned().collect::<BTreeSet<_>>();
        let Some(old) = self.old(role) else {
            // A role that nobody has yet, and that no plan but its own brings.
            return !new.keyids.is_empty();
        };
        set(old) != set(&new) || old.threshold != new.threshold
    }

    /// Gives the delegations of some names these keys; keys nobody names any more go.
    fn put(&self, list: &mut Delegations, role: KeyRole, which: impl Fn(&str) -> bool) {
        let keys = self.role_keys(role);
        list.keys.extend(self.keys(role));
        let used: BTreeSet<KeyId> = match &mut list.roles {
            DelegatedRoles::Succinct(bins) => {
                bins.keys = keys;
                bins.keys.keyids.iter().cloned().collect()
            }
            DelegatedRoles::Listed(roles) => {
                for one in roles.iter_mut().filter(|one| which(one.name.as_str())) {
                    one.keys = keys.clone();
                }
                let all = roles.iter().flat_map(|one| &one.keys.keyids);
                all.cloned().collect()
            }
        };
        list.keys.retain(|id, _| used.contains(id));
    }
}
