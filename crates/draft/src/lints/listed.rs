//! What a root or a delegating role says about the keys of others, in one shape for all rules.

use std::collections::BTreeMap;

use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, KeyId, PublicKey, Role, RoleKeys, RoleName,
};
use policy::{Policy, RolePolicy};

use super::{Case, Subject};
use crate::{BINS_PREFIX, CLAIMED, RECENTLY_CLAIMED, is_claimed_shard};

/// Keys and threshold of one role, as the document at hand lists them.
pub(super) struct ListedRole<'a> {
    /// Its plain name; the prefix for a succinct family of bins.
    pub(super) name: &'a str,
    pub(super) keys: &'a RoleKeys,
    /// What the policy asks of it; `None` if the policy does not know it.
    pub(super) policy: Option<&'a RolePolicy>,
}

/// Every role whose keys the document lists; none for snapshots, timestamps and bins.
pub(super) fn roles<'a>(case: &Case<'a>) -> Vec<ListedRole<'a>> {
    let policy = case.policy;
    match case.subject {
        Subject::Root { new, .. } => vec![
            listed("root", &new.root, Some(&policy.roles.root)),
            listed("timestamp", &new.timestamp, Some(&policy.roles.timestamp)),
            listed("snapshot", &new.snapshot, Some(&policy.roles.snapshot)),
            listed("targets", &new.targets, Some(&policy.roles.targets)),
        ],
        Subject::Targets { new, .. } => match new.delegations.as_ref().map(|list| &list.roles) {
            None => Vec::new(),
            Some(DelegatedRoles::Listed(roles)) => roles
                .iter()
                .map(|role| {
                    let name = role.name.as_str();
                    listed(name, &role.keys, delegated_policy(policy, &role.name))
                })
                .collect(),
            Some(DelegatedRoles::Succinct(bins)) => vec![listed(
                &bins.name_prefix,
                &bins.keys,
                Some(&policy.roles.bin_n),
            )],
        },
        Subject::Snapshot { .. } | Subject::Timestamp { .. } => Vec::new(),
    }
}

fn listed<'a>(name: &'a str, keys: &'a RoleKeys, policy: Option<&'a RolePolicy>) -> ListedRole<'a> {
    ListedRole { name, keys, policy }
}

/// The keys the document lists.
pub(super) fn keys<'a>(case: &Case<'a>) -> Option<&'a BTreeMap<KeyId, PublicKey>> {
    match case.subject {
        Subject::Root { new, .. } => Some(&new.keys),
        Subject::Targets { .. } => delegations(case).map(|list| &list.keys),
        Subject::Snapshot { .. } | Subject::Timestamp { .. } => None,
    }
}

/// The delegations of a targets role.
pub(super) fn delegations<'a>(case: &Case<'a>) -> Option<&'a Delegations> {
    match case.subject {
        Subject::Targets { new, .. } => new.delegations.as_ref(),
        _ => None,
    }
}

/// The delegations that are listed one by one.
pub(super) fn delegated<'a>(case: &Case<'a>) -> &'a [DelegatedRole] {
    match delegations(case).map(|list| &list.roles) {
        Some(DelegatedRoles::Listed(roles)) => roles,
        _ => &[],
    }
}

/// What the policy asks of a role.
pub(super) fn role_policy<'a>(policy: &'a Policy, role: &Role) -> Option<&'a RolePolicy> {
    match role {
        Role::Root => Some(&policy.roles.root),
        Role::Timestamp => Some(&policy.roles.timestamp),
        Role::Snapshot => Some(&policy.roles.snapshot),
        Role::Targets => Some(&policy.roles.targets),
        Role::Delegated(name) => delegated_policy(policy, name),
    }
}

fn delegated_policy<'a>(policy: &'a Policy, name: &RoleName) -> Option<&'a RolePolicy> {
    match name.as_str() {
        BINS_PREFIX => Some(&policy.roles.bins),
        RECENTLY_CLAIMED => policy
            .claims
            .as_ref()
            .map(|claims| &claims.recently_claimed),
        CLAIMED => policy.claims.as_ref().map(|claims| &claims.claimed),
        name if is_claimed_shard(name) => {
            policy.claims.as_ref().map(|claims| &claims.claimed_shard)
        }
        name => is_bin(name).then_some(&policy.roles.bin_n),
    }
}

/// Whether a role name has the form of a bin's: `bins-HEX` (TAP 15).
#[must_use]
pub fn is_bin(name: &str) -> bool {
    name.strip_prefix(BINS_PREFIX)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|hex| {
            let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            (1..=8).contains(&hex.len()) && hex.bytes().all(digit)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_known_by_their_names() {
        for (name, expected) in [
            ("bins-0", true),
            ("bins-3fff", true),
            ("bins", false),
            ("bins-", false),
            ("bins-3FFF", false),
            ("bins-g", false),
            ("project-bins-0", false),
        ] {
            assert_eq!(is_bin(name), expected, "{name}");
        }
    }
}
