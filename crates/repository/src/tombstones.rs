//! Roles that the snapshot lists and nothing delegates to any more: clients would refuse a snapshot without
//! them, so they stay until both online keys are replaced (TUF 5.3.11, 5.5.5).

use std::collections::{BTreeMap, BTreeSet};

use draft::SignedFile;
use metadata::{Role, Targets};

use crate::batch::delegated_roles;
use crate::error::RepositoryError;
use crate::offline_set::bins_role;
use crate::outlook::document;
use crate::record::RoleRecord;
use crate::repository::Repository;
use crate::status::is_bin;
use crate::store::StorePath;

impl Repository {
    /// The tombstones among `records` once `new` is published, with these `bins` if they are others:
    /// delegated roles that no walk from `targets` on reaches.
    pub(crate) fn tombstones(
        &self,
        records: &BTreeMap<Role, RoleRecord>,
        new: &[SignedFile],
        bins: Option<&Targets>,
    ) -> Result<Vec<Role>, RepositoryError> {
        let new = new.iter().filter(|file| !is_bin(file.role()));
        let new: BTreeMap<&Role, &SignedFile> = new.map(|file| (file.role(), file)).collect();
        let mut reached = BTreeSet::new();
        let mut ahead = vec![Role::Targets];
        while let Some(role) = ahead.pop() {
            // A bin delegates to nobody, so none need be read.
            if is_bin(&role) || !reached.insert(role.clone()) {
                reached.insert(role);
                continue;
            }
            if let Some(bins) = bins.filter(|_| role == bins_role()) {
                ahead.extend(delegated_roles([bins]));
                continue;
            }
            let file = match new.get(&role) {
                Some(file) => Some(file.bytes().to_vec()),
                None => self.published_file(&role, records)?,
            };
            let found: Option<Targets> = document(file.as_deref())?;
            ahead.extend(delegated_roles(&found));
        }
        let is_left = |role: &&Role| matches!(role, Role::Delegated(_)) && !reached.contains(*role);
        Ok(records.keys().filter(is_left).cloned().collect())
    }

    /// The file of a role, checked against the state.
    fn published_file(
        &self,
        role: &Role,
        records: &BTreeMap<Role, RoleRecord>,
    ) -> Result<Option<Vec<u8>>, RepositoryError> {
        let Some(record) = records.get(role) else {
            return Ok(None);
        };
        let name = role.versioned_file_name(record.version);
        let damaged = || RepositoryError::Damaged {
            what: format!("role {role}"),
        };
        let path = StorePath::metadata(&name).ok_or_else(damaged)?;
        let file = self
            .store
            .get_checked(&path, record.length, record.sha256)?;
        Ok(Some(file))
    }
}
