//! Whose signatures a document needs: the keys that the role above it lists for it (TUF 4.3 ROLE, 4.5).

use std::collections::BTreeMap;

use draft::{BINS_PREFIX, CLAIMED, RECENTLY_CLAIMED, is_claimed_shard};
use metadata::{DelegatedRole, DelegatedRoles, KeyId, PublicKey, Role, RoleKeys, Root, Targets};
use trust::Authority;

use crate::{CeremonyError, Event, EventFlaw};

/// Whose signatures a payload needs.
pub(crate) struct Voucher<'a> {
    pub(crate) name: &'static str,
    pub(crate) keys: &'a BTreeMap<KeyId, PublicKey>,
    pub(crate) role_keys: &'a RoleKeys,
}

impl<'a> Voucher<'a> {
    fn root(name: &'static str, root: &'a Root) -> Self {
        Self {
            name,
            keys: &root.keys,
            role_keys: &root.root,
        }
    }

    pub(crate) fn authority(&self) -> Authority<'a> {
        Authority::new(self.name, self.keys, self.role_keys)
    }
}

impl Event {
    /// Whose signatures a role needs: each voucher's threshold must be met (TUF 5.3.4).
    pub(crate) fn vouchers(&self, role: &Role) -> Result<Vec<Voucher<'_>>, CeremonyError> {
        let root = self.root.current()?;
        Ok(match role {
            Role::Root => {
                let new = Voucher::root("the new root", root);
                let old = self.root.previous.as_ref();
                let old = old.map(|old| Voucher::root("the published root", &old.document));
                old.into_iter().chain([new]).collect()
            }
            Role::Delegated(_) => {
                let (name, delegator) = if is_claimed_shard(role.name()) {
                    (CLAIMED, self.claimed_in_force())
                } else {
                    ("targets", Some(self.targets.current()?))
                };
                let found = delegator.and_then(|delegator| entry(delegator, role.name()));
                let (keys, entry) = found.ok_or_else(|| {
                    let role = role.clone();
                    EventFlaw::Missing { role }.at(self.folder.path())
                })?;
                vec![Voucher {
                    name,
                    keys,
                    role_keys: &entry.keys,
                }]
            }
            _ => vec![Voucher {
                name: "root",
                keys: &root.keys,
                role_keys: &root.targets,
            }],
        })
    }
}

/// The delegation to a role, with the keys beside it.
pub(crate) fn entry<'a>(
    delegator: &'a Targets,
    name: &str,
) -> Option<(&'a BTreeMap<KeyId, PublicKey>, &'a DelegatedRole)> {
    let delegations = delegator.delegations.as_ref()?;
    let DelegatedRoles::Listed(roles) = &delegations.roles else {
        return None;
    };
    let entry = roles.iter().find(|role| role.name.as_str() == name)?;
    Some((&delegations.keys, entry))
}

/// The delegation to `bins`, with the keys beside it.
pub(crate) fn bins_entry(
    targets: &Targets,
) -> Option<(&BTreeMap<KeyId, PublicKey>, &DelegatedRole)> {
    entry(targets, BINS_PREFIX)
}

/// The keys of the bins, or of the shards of `claimed`; that all have the same is a rule of `draft`.
pub(crate) fn first_delegation(delegator: &Targets) -> Option<&RoleKeys> {
    match &delegator.delegations.as_ref()?.roles {
        DelegatedRoles::Listed(roles) => roles.first().map(|role| &role.keys),
        DelegatedRoles::Succinct(roles) => Some(&roles.keys),
    }
}

/// The keys of the bins themselves.
pub(crate) fn keys_of_bins(bins: &Targets) -> Vec<PublicKey> {
    let (Some(keys), Some(list)) = (first_delegation(bins), &bins.delegations) else {
        return Vec::new();
    };
    let keys = keys.keyids.iter();
    keys.filter_map(|id| list.keys.get(id).cloned()).collect()
}

/// The keys of `recently-claimed`, where targets delegates to it.
pub(crate) fn recently_claimed(targets: &Targets) -> Option<&RoleKeys> {
    entry(targets, RECENTLY_CLAIMED).map(|(_, entry)| &entry.keys)
}
