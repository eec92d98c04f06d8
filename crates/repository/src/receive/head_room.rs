//! How much more clients are sure to read: a claim or transaction that would cross a limit of theirs is
//! refused before it is queued, with the limit's name. The rules for snapshot and `recently-claimed` hold
//! again when they are signed.

use claims::{Accepted, Published};
use metadata::Role;

use super::ReceiveError;
use crate::claim_record::ClaimStage;
use crate::error::RepositoryError;
use crate::repository::Repository;

/// Bytes of a snapshot's entry besides the role's name: version, length, SHA-256 and punctuation, the
/// numbers as long as they get.
const ENTRY_BYTES: u64 = 128;

/// Roles that a lookup of a project's file visits besides those of the project: `targets` and the
/// delegators, once the project is claimed.
const ROLES_BEFORE_A_PROJECT: usize = 3;

impl Repository {
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

    /// Whether the roles of a transaction still fit the snapshot, and a lookup its roles.
    pub(super) fn room_for(
        &self,
        accepted: &Accepted,
        known: &Published,
    ) -> Result<Result<(), ReceiveError>, RepositoryError> {
        let limits = self.settings.policy.repository;
        let roles = self.state.roles()?;
        let snapshot = roles.iter().find(|record| record.role == Role::Snapshot);
        let new = accepted.roles.iter();
        let new = new.filter(|role| !known.last_versions.contains_key(&role.name));
        let more: u64 = new
            .map(|role| ENTRY_BYTES + role.name.as_str().len() as u64)
            .sum();
        let needed = snapshot.map_or(0, |record| record.length) + more;
        if let Err(full) = at_most("bytes of the snapshot", needed, limits.snapshot_bytes) {
            return Ok(Err(full));
        }
        for role in &accepted.roles {
            let length = role.file.len() as u64;
            if let Err(full) = at_most("bytes of a role", length, limits.role_bytes) {
                return Ok(Err(full));
            }
        }
        let visited = accepted.layout.sub_roles + 1 + ROLES_BEFORE_A_PROJECT;
        let limit = self.settings.policy.client.delegations;
        Ok(at_most("roles of a lookup", visited as u64, limit.into()))
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
