//! Keys and delegations of the simulated repository.

use std::collections::BTreeMap;

use index::BinCount;
use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, KeyId, PathPattern, PathSet, PublicKey, Role,
    RoleKeys, RoleName, SuccinctRoles, TargetPath,
};

use super::{Key, Simulator, role};

/// How a role delegates to bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinEncoding {
    /// Each bin listed with its `path_hash_prefixes` (TUF 4.5).
    HashPrefixes,
    /// `succinct_roles` (TAP 15).
    Succinct,
}

impl Simulator {
    /// Delegates `patterns` from one role to another, after the delegations already there, not
    /// terminating, threshold 1. What is returned is the delegation as it will be signed.
    pub fn delegate(
        &mut self,
        from: &str,
        to: &str,
        keys: &[Key],
        patterns: &[&str],
    ) -> &mut DelegatedRole {
        let parse = |pattern: &&str| PathPattern::parse(*pattern).unwrap();
        let paths = PathSet::Patterns(patterns.iter().map(parse).collect());
        let name = role_name(to);
        self.draft(to);
        self.keys.insert(role(to), keys.to_vec());
        let delegations = self.delegations(from);
        list_keys(&mut delegations.keys, keys);
        let DelegatedRoles::Listed(roles) = &mut delegations.roles else {
            panic!("{from} delegates to succinct bins");
        };
        let keys = role_keys(keys, 1);
        roles.push(DelegatedRole {
            name,
            keys,
            paths,
            terminating: false,
        });
        roles.last_mut().unwrap()
    }

    /// Delegates every path from `from` to 2^`bit_length` empty bins called `PREFIX-HEX`.
    pub fn delegate_bins(
        &mut self,
        from: &str,
        prefix: &str,
        bit_length: u8,
        encoding: BinEncoding,
        key: &Key,
    ) {
        let keys = std::slice::from_ref(key);
        let count = BinCount::from_bit_length(bit_length).unwrap();
        let mut listed = Vec::new();
        for bin in count.bins() {
            let name = bin.name(prefix).unwrap();
            self.draft(name.as_str());
            self.keys
                .insert(Role::Delegated(name.clone()), keys.to_vec());
            let paths = PathSet::HashPrefixes(bin.hash_prefixes());
            let keys = role_keys(keys, 1);
            listed.push(DelegatedRole {
                name,
                keys,
                paths,
                terminating: false,
            });
        }
        let roles = match encoding {
            BinEncoding::HashPrefixes => DelegatedRoles::Listed(listed),
            BinEncoding::Succinct => DelegatedRoles::Succinct(SuccinctRoles {
                keys: role_keys(keys, 1),
                bit_length: bit_length.into(),
                name_prefix: prefix.to_owned(),
            }),
        };
        let delegations = self.delegations(from);
        list_keys(&mut delegations.keys, keys);
        delegations.roles = roles;
    }

    /// The bin of `from` that answers for a path.
    #[must_use]
    pub fn bin_of(&self, from: &str, path: &str) -> String {
        let path = TargetPath::parse(path).unwrap();
        let hash = path.hash();
        match &self.drafts[&role(from)].delegations.as_ref().unwrap().roles {
            DelegatedRoles::Succinct(bins) => bins.name(bins.bin_of(&hash)).unwrap(),
            DelegatedRoles::Listed(roles) => {
                let covers = |role: &&DelegatedRole| role.paths.covers(&path, &hash);
                roles.iter().find(covers).unwrap().name.clone()
            }
        }
        .as_str()
        .to_owned()
    }

    /// The delegations of a role, made if there are none.
    pub fn delegations(&mut self, from: &str) -> &mut Delegations {
        self.draft(from)
            .delegations
            .get_or_insert_with(|| Delegations {
                keys: BTreeMap::new(),
                roles: DelegatedRoles::Listed(Vec::new()),
            })
    }

    pub(super) fn rotate_top_level(&mut self, role: &Role, keys: &[Key], threshold: u32) {
        let of = match role {
            Role::Root => &mut self.root.root,
            Role::Timestamp => &mut self.root.timestamp,
            Role::Snapshot => &mut self.root.snapshot,
            _ => &mut self.root.targets,
        };
        *of = role_keys(keys, threshold);
        self.root.keys.clear();
        for role in [Role::Root, Role::Timestamp, Role::Snapshot, Role::Targets] {
            list_keys(
                &mut self.root.keys,
                self.keys.get(&role).map_or(&[], Vec::as_slice),
            );
        }
    }

    /// Replaces the keys of a role wherever it is delegated to; those of succinct bins together.
    pub(super) fn rotate_delegated(&mut self, name: &RoleName, keys: &[Key], threshold: u32) {
        for draft in self.drafts.values_mut() {
            let Some(delegations) = &mut draft.delegations else {
                continue;
            };
            let of = match &mut delegations.roles {
                DelegatedRoles::Listed(roles) => roles
                    .iter_mut()
                    .find(|role| role.name == *name)
                    .map(|role| &mut role.keys),
                DelegatedRoles::Succinct(bins) => name
                    .as_str()
                    .starts_with(&bins.name_prefix)
                    .then_some(&mut bins.keys),
            };
            if let Some(of) = of {
                *of = role_keys(keys, threshold);
                list_keys(&mut delegations.keys, keys);
            }
        }
    }
}

/// Keys and threshold as metadata lists them.
#[must_use]
pub fn role_keys(keys: &[Key], threshold: u32) -> RoleKeys {
    RoleKeys {
        keyids: keys.iter().map(|key| key.id().clone()).collect(),
        threshold,
    }
}

fn list_keys(listed: &mut BTreeMap<KeyId, PublicKey>, keys: &[Key]) {
    listed.extend(
        keys.iter()
            .map(|key| (key.id().clone(), key.public().clone())),
    );
}

fn role_name(name: &str) -> RoleName {
    RoleName::parse(name).unwrap()
}
