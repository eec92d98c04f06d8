//! Roles that the snapshot lists and nothing delegates to any more: clients would refuse a snapshot without
//! them, so they stay until both online keys are replaced (TUF 5.3.11, 5.5.5).

use std::collections::{BTreeMap, BTreeSet};

use draft::{BINS_PREFIX, SignedFile};
use metadata::{Role, Targets};

use crate::batch::delegated_roles;
use crate::error::RepositoryError;
use crate::offline_set::bins_role;
use crate::outlook::document;
use crate::record::RoleRecord;
use crate::repository::Repository;
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

/// A bin delegates to nobody, so none need be read.
pub(crate) fn is_bin(role: &Role) -> bool {
    let rest = role.name().strip_prefix(BINS_PREFIX);
    let number = rest.and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(|hex| u16::from_str_radix(hex, 16).is_ok())
}
