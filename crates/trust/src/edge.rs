//! Delegations of verified roles: who may be asked next, and by whose keys (TUF 4.5).

use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, PathSet, Role, RoleKeys, RoleName, Sha256,
    TargetPath, Targets,
};

use crate::verified::{Authority, Verified};

/// A delegation of a verified role: the only way to have one is [`Verified::edges`] and its like.
pub struct Edge<'a> {
    pub(crate) delegator: &'a Verified<Targets>,
    pub(crate) delegations: &'a Delegations,
    pub(crate) name: RoleName,
    pub(crate) keys: &'a RoleKeys,
    pub(crate) terminating: bool,
    pub(crate) bin: bool,
}

impl Edge<'_> {
    /// The delegated role.
    #[must_use]
    pub fn name(&self) -> &RoleName {
        &self.name
    }

    /// Whether the search ends after it and its own delegations.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.terminating
    }

    /// Whether the role is a bin: delegated by the hash of the path, not by the path (TAP 15).
    #[must_use]
    pub fn is_bin(&self) -> bool {
        self.bin
    }

    /// The role that delegates.
    #[must_use]
    pub fn delegator(&self) -> &Role {
        self.delegator.role()
    }

    pub(crate) fn authority(&self) -> Authority<'_> {
        Authority::new(
            self.delegator.role().name(),
            &self.delegations.keys,
            self.keys,
        )
    }
}

impl Verified<Targets> {
    /// The delegations that cover a path, in order of priority.
    #[must_use]
    pub fn edges(&self, path: &TargetPath, hash: &Sha256) -> Vec<Edge<'_>> {
        let Some(delegations) = &self.delegations else {
            return Vec::new();
        };
        match &delegations.roles {
            DelegatedRoles::Listed(roles) => roles
                .iter()
                .filter(|role| role.paths.covers(path, hash))
                .map(|role| self.listed_edge(delegations, role))
                .collect(),
            DelegatedRoles::Succinct(bins) => bins
                .name(bins.bin_of(hash))
                .map(|name| self.bin_edge(delegations, name, &bins.keys))
                .into_iter()
                .collect(),
        }
    }

    /// The delegation to the role of that name, if it covers a path.
    pub(crate) fn edge(
        &self,
        name: &RoleName,
        path: &TargetPath,
        hash: &Sha256,
    ) -> Option<Edge<'_>> {
        let delegations = self.delegations.as_ref()?;
        match &delegations.roles {
            // No name stands twice (TUF 4.5).
            DelegatedRoles::Listed(roles) => roles
                .iter()
                .find(|role| role.name == *name)
                .filter(|role| role.paths.covers(path, hash))
                .map(|role| self.listed_edge(delegations, role)),
            DelegatedRoles::Succinct(_) => {
                let mut edges = self.edges(path, hash).into_iter();
                edges.find(|edge| edge.name == *name)
            }
        }
    }

    /// Every delegation, in order: for an audit or a rehearsal that walks a whole repository.
    #[must_use]
    pub fn all_edges(&self) -> Box<dyn Iterator<Item = Edge<'_>> + '_> {
        let Some(delegations) = &self.delegations else {
            return Box::new(std::iter::empty());
        };
        match &delegations.roles {
            DelegatedRoles::Listed(roles) => Box::new(
                roles
                    .iter()
                    .map(move |role| self.listed_edge(delegations, role)),
            ),
            DelegatedRoles::Succinct(bins) => {
                // TAP 15 allows 2^32; no repository of ours has more than 2^14.
                let count = u32::try_from(bins.count()).unwrap_or(u32::MAX);
                Box::new((0..count).filter_map(move |bin| {
                    let name = bins.name(bin).ok()?;
                    Some(self.bin_edge(delegations, name, &bins.keys))
                }))
            }
        }
    }

    fn listed_edge<'a>(
        &'a self,
        delegations: &'a Delegations,
        role: &'a DelegatedRole,
    ) -> Edge<'a> {
        Edge {
            delegator: self,
            delegations,
            name: role.name.clone(),
            keys: &role.keys,
            terminating: role.terminating,
            bin: matches!(role.paths, PathSet::HashPrefixes(_)),
        }
    }

    fn bin_edge<'a>(
        &'a self,
        delegations: &'a Delegations,
        name: RoleName,
        keys: &'a RoleKeys,
    ) -> Edge<'a> {
        Edge {
            delegator: self,
            delegations,
            name,
            keys,
            terminating: false,
            bin: true,
        }
    }
}
