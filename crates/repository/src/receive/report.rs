//! What an index says of its claims: to operators, and to the ceremony that moves them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use draft::ClaimsExport;
use index::ProjectName;

use crate::claim_record::{ClaimRecord, exported};
use crate::developers::{own_role, project_of};
use crate::error::RepositoryError;
use crate::repository::Repository;

impl Repository {
    /// Every claim whose developers sign, as published: what a ceremony freezes.
    /// Keys that nobody has confirmed since a recovery are not for a ceremony to cement.
    pub fn export_claims(&self) -> Result<ClaimsExport, RepositoryError> {
        let claims = self.state.claims()?;
        match claims.values().filter(|claim| claim.held).count() {
            0 => Ok(exported(&claims, self.snapshot_bytes()?)),
            projects => Err(RepositoryError::ClaimsHeld { projects }),
        }
    }

    /// Every claim, as published.
    pub fn claims(&self) -> Result<BTreeMap<ProjectName, ClaimRecord>, RepositoryError> {
        self.state.claims()
    }

    /// When the own role of each project expires: then clients refuse its files, and only its developers can
    /// renew it (reference F32).
    pub fn project_expiries(
        &self,
    ) -> Result<BTreeMap<ProjectName, DateTime<Utc>>, RepositoryError> {
        let roles = self.state.roles()?.into_iter();
        Ok(roles
            .filter_map(|record| {
                let project = project_of(&record.role)?;
                (own_role(&project) == record.role).then_some((project, record.expires))
            })
            .collect())
    }
}
