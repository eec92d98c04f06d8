//! Who speaks for projects in a batch that may move some: each has one delegator, and its role verifies
//! under a new one.

use std::collections::{BTreeMap, BTreeSet};

use metadata::{Role, Targets, Version};
use trust::{Edge, Rejection, Verified};

use super::Client;
use crate::error::RepositoryError;

fn refused(source: Rejection) -> RepositoryError {
    RepositoryError::Rehearsal { source }
}

impl Client<'_> {
    /// `claimed`, its shards and `recently-claimed` lead to roles that the snapshot lists, none of them
    /// twice (reference F31).
    pub(super) fn check_claimed(
        &self,
        new: &BTreeMap<(&Role, Version), &[u8]>,
    ) -> Result<(), RepositoryError> {
        let mut seen = BTreeSet::new();
        for edge in self.top.all_edges() {
            match edge.name().as_str() {
                draft::RECENTLY_CLAIMED => {
                    self.one_delegator(&self.verified(&edge)?.1, &mut seen)?;
                }
                draft::CLAIMED => {
                    for edge in self.verified(&edge)?.1.all_edges() {
                        let (version, shard) = self.verified(&edge)?;
                        let role = Role::Delegated(edge.name().clone());
                        if new.contains_key(&(&role, version)) {
                            self.check_projects(&shard)?;
                        }
                        self.one_delegator(&shard, &mut seen)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn verified(&self, edge: &Edge) -> Result<(Version, Verified<Targets>), RepositoryError> {
        let role = Role::Delegated(edge.name().clone());
        let version = self.snapped.request(&role).map_err(refused)?.version;
        let file = (self.file_of)(&role, version)?.ok_or(RepositoryError::NoRoles)?;
        let verified = self.snapped.delegate(edge, &file).map_err(refused)?;
        Ok((version, verified))
    }

    fn one_delegator(
        &self,
        delegator: &Verified<Targets>,
        seen: &mut BTreeSet<Role>,
    ) -> Result<(), RepositoryError> {
        for edge in delegator.all_edges() {
            let role = Role::Delegated(edge.name().clone());
            self.snapped.request(&role).map_err(refused)?;
            if !seen.insert(role.clone()) {
                return Err(RepositoryError::TwoDelegators { role });
            }
        }
        Ok(())
    }

    /// The role of each project verifies; one that its developers have let expire stays expired.
    fn check_projects(&self, shard: &Verified<Targets>) -> Result<(), RepositoryError> {
        for edge in shard.all_edges() {
            match self.verified(&edge) {
                Ok(_)
                | Err(RepositoryError::Rehearsal {
                    source: Rejection::Expired { .. },
                }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
