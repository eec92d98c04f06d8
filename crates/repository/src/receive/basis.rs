//! What a transaction is verified against: the limits, the registered keys, and the roles and files of the
//! project as they will be once everything queued is published.

use std::collections::BTreeMap;

use claims::{ClaimLimits, ProjectRole, Published};
use index::{DistributionFilename, file_path, metadata_path};
use metadata::{DelegatedRoles, Document, Role, RoleName, TargetFile, TargetPath, Targets, Wire};

use super::SignedBy;
use crate::batch::recently_claimed_keys;
use crate::error::RepositoryError;
use crate::outlook::published;
use crate::pages::Project;
use crate::record::RoleRecord;
use crate::repository::Repository;

impl Repository {
    /// The limits of a transaction, where developers can sign: the policy says so, and targets delegates.
    pub(super) fn claim_limits(&self) -> Result<Option<ClaimLimits>, RepositoryError> {
        let policy = &self.settings.policy;
        let Some(claims) = &policy.claims else {
            return Ok(None);
        };
        let before = self.read_before(&self.roles_by_name()?, None)?;
        let targets = published(&before)?.targets;
        if targets.as_ref().and_then(recently_claimed_keys).is_none() {
            return Ok(None);
        }
        let limits = ClaimLimits::default();
        Ok(Some(ClaimLimits {
            role_bytes: limits.role_bytes.min(policy.repository.role_bytes),
            file_bytes: policy.client.file_bytes,
            sub_roles: claims.sub_roles_per_project as usize,
            signatures: policy.client.signatures as usize,
            ..limits
        }))
    }

    /// What a transaction is verified against; nothing if nobody has registered keys.
    pub(super) fn known(
        &self,
        project: &Project,
        signed_by: SignedBy,
    ) -> Result<Option<Published>, RepositoryError> {
        let developers = &project.developers;
        let Some(claim) = &developers.claim else {
            return Ok(None);
        };
        // Keys that nobody vouches for have no say before a ceremony gives it to them.
        let registration = match (&claim.in_force, signed_by) {
            (Some(granted), SignedBy::KeysInForce) if claim.waits_unvouched() => {
                Some(&granted.registration)
            }
            _ => claim.next_registration(),
        };
        let Some(registration) = registration.cloned() else {
            return Ok(None);
        };
        let mut last_versions = BTreeMap::new();
        for (role, record) in &developers.roles {
            if let Role::Delegated(name) = role {
                last_versions.insert(name.clone(), record.version);
            }
        }
        let mut roles = BTreeMap::new();
        if claim.is_signed() {
            let own = ProjectRole::of(registration.project.clone()).name();
            let current = self.current_roles(&own, &developers.roles)?;
            roles.extend(current);
        }
        let mut files: BTreeMap<TargetPath, TargetFile> = BTreeMap::new();
        for file in project.now.values() {
            let path = file_path(&file.filename);
            files.insert(path, TargetFile::new(file.size, file.sha256));
            if let Some((digest, size)) = file.core_metadata {
                let path = metadata_path(&file.filename);
                files.insert(path, TargetFile::new(size, digest));
            }
        }
        let withdrawn = developers.withdrawn.iter();
        let withdrawn = withdrawn
            .filter_map(|name| DistributionFilename::parse_for(name, &registration.project).ok());
        Ok(Some(Published {
            withdrawn: withdrawn.collect(),
            registration,
            roles,
            last_versions,
            files,
        }))
    }

    /// The files of `project-NAME` and of the sub-roles it delegates to.
    fn current_roles(
        &self,
        own: &RoleName,
        records: &BTreeMap<Role, RoleRecord>,
    ) -> Result<BTreeMap<RoleName, Vec<u8>>, RepositoryError> {
        let mut current = BTreeMap::new();
        let read = |name: &RoleName| {
            let record = records.get(&Role::Delegated(name.clone()));
            record.map(|record| self.any_role(record)).transpose()
        };
        let Some(file) = read(own)? else {
            return Ok(current);
        };
        let document = Targets::parse(Wire::parse(&file, usize::MAX)?.signed)?;
        current.insert(own.clone(), file);
        if let Some(DelegatedRoles::Listed(roles)) = document.delegations.map(|all| all.roles) {
            for role in roles {
                if let Some(file) = read(&role.name)? {
                    current.insert(role.name, file);
                }
            }
        }
        Ok(current)
    }
}
