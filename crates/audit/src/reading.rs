//! What was read of a repository: who delegates to whom, and what everybody lists. About 200 bytes
//! a target are kept; the documents of roles that only list targets are let go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::{
    DelegatedRoles, Delegations, PathSet, Role, RoleName, Sha256, TargetPath, Targets, Version,
};
use trust::{Rejection, Verified};

/// Everything that was verified.
#[derive(Default)]
pub(crate) struct Reading {
    /// Roles; the top-level targets role first.
    pub(crate) nodes: Vec<Node>,
    by_name: BTreeMap<RoleName, usize>,
    broken: BTreeSet<(usize, RoleName)>,
    /// What they list; by path, then in the order of nodes, once sorted.
    pub(crate) entries: Vec<Entry>,
    /// A role that was refused because it has expired.
    pub(crate) expired: Option<Role>,
    /// A role that delegates to succinct bins.
    pub(crate) succinct: Option<Role>,
    /// Roles delegated by hash prefixes.
    pub(crate) bins: usize,
    /// Their hash prefixes.
    pub(crate) prefixes: u64,
}

/// A targets role.
pub(crate) struct Node {
    pub(crate) role: Role,
    pub(crate) version: Version,
    pub(crate) delegator: Role,
    /// Its document, if it delegates further.
    pub(crate) document: Option<Arc<Verified<Targets>>>,
}

/// A target as a role lists it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: TargetPath,
    /// Index of the node that lists it.
    pub(crate) node: usize,
    pub(crate) length: u64,
    pub(crate) sha256: Option<Sha256>,
    /// Whether it is what clients find for the path. Known after `placement`.
    pub(crate) answers: bool,
}

impl Reading {
    /// Takes a verified role in. Returns its index if it has delegations to follow.
    pub(crate) fn add(&mut self, role: Verified<Targets>, delegator: Role) -> Option<usize> {
        let node = self.nodes.len();
        if let Role::Delegated(name) = role.role() {
            self.by_name.insert(name.clone(), node);
        }
        let entries = role.targets().iter().map(|(path, file)| Entry {
            path: path.clone(),
            node,
            length: file.length,
            sha256: file.hashes.get_sha256(),
            answers: false,
        });
        self.entries.extend(entries);
        if let Some(delegations) = &role.delegations {
            self.count(role.role(), delegations);
        }
        let delegates = role.delegations.is_some();
        self.nodes.push(Node {
            role: role.role().clone(),
            version: role.version,
            delegator,
            document: delegates.then(|| Arc::new(role)),
        });
        delegates.then_some(node)
    }

    fn count(&mut self, role: &Role, delegations: &Delegations) {
        match &delegations.roles {
            DelegatedRoles::Succinct(_) => {
                self.succinct.get_or_insert_with(|| role.clone());
            }
            DelegatedRoles::Listed(roles) => {
                for delegated in roles {
                    if let PathSet::HashPrefixes(prefixes) = &delegated.paths {
                        self.bins += 1;
                        self.prefixes += prefixes.len() as u64;
                    }
                }
            }
        }
    }

    /// Notes that `delegator` leads to a role that could not be had or believed.
    pub(crate) fn add_broken(
        &mut self,
        delegator: usize,
        name: &RoleName,
        why: Option<&Rejection>,
    ) {
        self.broken.insert((delegator, name.clone()));
        if matches!(why, Some(Rejection::Expired { .. })) {
            self.expired
                .get_or_insert_with(|| Role::Delegated(name.clone()));
        }
    }

    /// The node of a role, if any delegation to it was verified.
    pub(crate) fn node(&self, name: &RoleName) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The node to which this delegation leads, if that was verified.
    pub(crate) fn follow(&self, delegator: usize, name: &RoleName) -> Option<usize> {
        let broken = !self.broken.is_empty() && self.broken.contains(&(delegator, name.clone()));
        if broken { None } else { self.node(name) }
    }

    /// Whether any delegation leads to this role, verified or not.
    pub(crate) fn is_delegated(&self, name: &RoleName) -> bool {
        self.by_name.contains_key(name) || self.broken.iter().any(|(_, broken)| broken == name)
    }

    /// Brings entries for one path together.
    pub(crate) fn sort(&mut self) {
        self.entries
            .sort_unstable_by(|a, b| (&a.path, a.node).cmp(&(&b.path, b.node)));
    }

    /// What clients find, in the order of paths.
    pub(crate) fn answering(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.answers)
    }
}
