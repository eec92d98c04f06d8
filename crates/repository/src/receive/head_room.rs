//! How much more clients are sure to read: a claim or transaction that would cross a limit of theirs is
//! refused before it is queued, with the limit's name. The rules for snapshot and `recently-claimed` hold
//! again when they are signed.

use std::collections::BTreeMap;

use chrono::DateTime;
use claims::{Accepted, Published, Registration};
use draft::DelegatedProject;
use metadata::{Document, Expiry, Role, Version};

use super::ReceiveError;
use crate::claim_record::{ClaimRecord, ClaimStage};
use crate::error::RepositoryError;
use crate::repository::Repository;

/// Roles that a lookup of a project's file visits besides those of the project: `targets` and the
/// delegators, once the project is claimed.
pub(crate) const ROLES_BEFORE_A_PROJECT: usize = 3;

/// Bytes of a role's file besides what is signed: one signature, and the numbers as long as they get.
const SIGNATURE_BYTES: u64 = 300;

impl Repository {
    /// Bytes of the snapshot in force; none before the first.
    pub(crate) fn snapshot_bytes(&self) -> Result<u64, RepositoryError> {
        let roles = self.state.roles()?;
        let mut snapshots = roles.iter().filter(|record| record.role == Role::Snapshot);
        Ok(snapshots.next().map_or(0, |record| record.length))
    }

    /// Whether one more project can be claimed before a ceremony has moved others.
    pub(super) fn room_for_a_claim(&self) -> Result<Result<(), ReceiveError>, RepositoryError> {
        let claims = self.state.claims()?;
        let recent = claims
            .values()
            .filter(|claim| claim.stage != ClaimStage::Claimed)
            .count();
        let needed = (recent + self.queued_claims(&claims)?) as u64 + 1;
        let policy = self.settings.policy.claims.as_ref();
        let limit = policy.map_or(0, |claims| claims.recently_claimed_projects.into());
        Ok(at_most("projects in `recently-claimed`", needed, limit))
    }

    /// Whether `recently-claimed` can list these keys beside everybody else's.
    pub(super) fn room_for_keys(
        &self,
        registration: &Registration,
    ) -> Result<Result<(), ReceiveError>, RepositoryError> {
        let mut projects = BTreeMap::new();
        let claims = self.state.claims()?;
        let known = claims
            .values()
            .filter(|claim| claim.stage != ClaimStage::Claimed);
        let known = known.filter_map(ClaimRecord::next_registration);
        let queued = self.queued_registrations()?;
        for one in known.chain(&queued).chain([registration]) {
            let delegated = DelegatedProject {
                project: one.project.clone(),
                keys: one.keys.clone(),
                role_keys: one.role_keys.clone(),
            };
            projects.insert(&one.project, delegated);
        }
        let projects: Vec<_> = projects.into_values().collect();
        let expires = Expiry::at(DateTime::UNIX_EPOCH);
        let role = draft::projects_role(expires, Version::FIRST, &projects)?;
        let needed = role.to_canonical().len() as u64 + SIGNATURE_BYTES;
        let limit = self.settings.policy.repository.role_bytes;
        Ok(at_most("bytes of `recently-claimed`", needed, limit))
    }

    /// Whether the roles of a transaction still fit the snapshot. Each fits the limit of a role, or it would
    /// not have been read; and a lookup the roles it visits, because the policy allows no more sub-roles.
    pub(super) fn room_for(
        &self,
        accepted: &Accepted,
        known: &Published,
    ) -> Result<Result<(), ReceiveError>, RepositoryError> {
        let limits = self.settings.policy.repository;
        let new = accepted.roles.iter();
        let new = new.filter(|role| !known.last_versions.contains_key(&role.name));
        let new: Vec<&str> = new.map(|role| role.name.as_str()).collect();
        if new.is_empty() {
            return Ok(Ok(()));
        }
        let needed = draft::snapshot_bytes_with(self.snapshot_bytes()?, new);
        Ok(at_most(
            "bytes of the snapshot",
            needed,
            limits.snapshot_bytes,
        ))
    }
}

fn at_most(what: &'static str, needed: u64, limit: u64) -> Result<(), ReceiveError> {
    if needed <= limit {
        return Ok(());
    }
    Err(ReceiveError::HeadRoom {
        what,
        needed,
        limit,
    })
}
