//! What a set of offline-signed roles does to projects whose developers sign, held against what is registered
//! now, with everything that is queued: keys that were replaced since the ceremony was planned void it
//! (PEP 480 "Producing Consistent Snapshots"; reference C.7, F4; decision 0022).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use draft::{ProjectChange, Signed, shard_changes};
use index::ProjectName;
use metadata::{Role, Targets};
use trust::{Authority, Envelope};

use crate::batch::recently_claimed_role;
use crate::change::Change;
use crate::claim_record::exported;
use crate::developers::own_role;
use crate::error::RepositoryError;
use crate::offline_set::{CheckedSet, Published, is_claimed};
use crate::outlook::document;
use crate::record::RoleRecord;
use crate::repository::Repository;
use crate::standing::Standing;

/// What becomes of projects.
pub(crate) type ProjectChanges = BTreeMap<ProjectName, ProjectChange>;

impl Repository {
    /// `claimed` as published, and its shards where they are asked for.
    pub(crate) fn published_claimed(
        &self,
        roles: &BTreeMap<Role, RoleRecord>,
        with_shards: bool,
    ) -> Result<BTreeMap<Role, Targets>, RepositoryError> {
        let mut found = BTreeMap::new();
        let own = roles.iter().filter(|(role, _)| is_claimed(role));
        for (role, record) in own.filter(|(role, _)| with_shards || role.name() == draft::CLAIMED) {
            let file = self.published_role(record)?;
            found.extend(document(Some(&file))?.map(|document| (role.clone(), document)));
        }
        Ok(found)
    }

    /// What the shards of a set do; an error if one does not follow from what is registered.
    pub(crate) fn project_changes(
        &self,
        set: &CheckedSet,
        published: &Published,
        now: DateTime<Utc>,
    ) -> Result<ProjectChanges, RepositoryError> {
        let mut changes = ProjectChanges::new();
        let mut shards = set
            .claimed
            .iter()
            .filter(|one| is_shard(one.role()))
            .peekable();
        let (Some(policy), Some(_)) = (&self.settings.policy.claims, shards.peek()) else {
            return Ok(changes);
        };
        let claims = exported(&self.standing_claims()?, self.snapshot_bytes()?);
        for shard in shards {
            let (role, new) = (shard.role(), shard.document());
            let old = published.claimed.get(role);
            let found = shard_changes(new, old, &claims, policy, now);
            changes.extend(found.map_err(|flaw| RepositoryError::Shard {
                role: role.clone(),
                version: new.version,
                flaw: Box::new(flaw),
            })?);
        }
        Ok(changes)
    }

    /// Every claim as it will be once everything queued is published.
    fn standing_claims(
        &self,
    ) -> Result<BTreeMap<ProjectName, crate::ClaimRecord>, RepositoryError> {
        let mut claims = self.state.claims()?;
        let mut standing = Standing::default();
        let queued = self.state.pending()?;
        let is_developers = |change: &Change| {
            matches!(
                change,
                Change::Claim(_) | Change::Transaction(_) | Change::Release(_)
            )
        };
        let names = queued.iter().filter(|one| is_developers(&one.change));
        let names: BTreeSet<_> = names.map(|one| one.change.project().clone()).collect();
        for name in names {
            match standing.project(self, &name)?.developers.claim.clone() {
                Some(claim) => claims.insert(name, claim),
                None => claims.remove(&name),
            };
        }
        Ok(claims)
    }

    /// Whether the snapshot still fits its limit when it lists the roles of `claimed` that a set adds. A
    /// lookup visits as many roles as the policy allows, and each role fits or its rules refuse it.
    pub(crate) fn check_room(
        &self,
        set: &CheckedSet,
        published: &BTreeMap<Role, RoleRecord>,
    ) -> Result<(), RepositoryError> {
        let new = set.claimed.iter().map(Signed::role);
        let new = new.filter(|role| !published.contains_key(*role));
        let new: Vec<&str> = new.map(Role::name).collect();
        let needed = draft::snapshot_bytes_with(self.snapshot_bytes()?, new.iter().copied());
        let limit = self.settings.policy.repository.snapshot_bytes;
        if new.is_empty() || needed <= limit {
            return Ok(());
        }
        Err(RepositoryError::NoRoom { needed, limit })
    }

    /// The role of a project that gets other keys is signed by them, as published or as it comes with the
    /// set: or all its files would be refused from then on (reference F4).
    pub(crate) fn check_resigned(
        &self,
        changes: &ProjectChanges,
        coming: &[Change],
    ) -> Result<(), RepositoryError> {
        for (project, change) in changes {
            if !matches!(change, ProjectChange::KeysReplaced { .. }) {
                continue;
            }
            let role = own_role(project);
            let of_project = coming.iter().filter(|change| change.project() == project);
            let mut new = of_project.filter_map(|change| match change {
                Change::Transaction(transaction) => {
                    transaction.roles.iter().find(|record| record.role == role)
                }
                _ => None,
            });
            let file = if let Some(record) = new.next() {
                Some(self.received_role(record)?)
            } else {
                let records = self.state.project_roles(project)?;
                let record = records.iter().find(|record| record.role == role);
                record
                    .map(|record| self.published_role(record))
                    .transpose()?
            };
            let claim = self.state.claim(project)?;
            let next = claim.as_ref().and_then(|claim| claim.next.as_ref());
            let registration = next.map(|next| &next.registration);
            let is_signed = file.zip(registration).is_some_and(|(file, registration)| {
                let authority =
                    Authority::new("claimed", &registration.keys, &registration.role_keys);
                self.is_signed_by(&role, &file, &authority)
            });
            if !is_signed {
                let project = project.clone();
                return Err(RepositoryError::NotResigned { project });
            }
        }
        Ok(())
    }

    /// Whether a file of a targets role has the signatures that somebody asks for.
    pub(crate) fn is_signed_by(&self, role: &Role, file: &[u8], authority: &Authority<'_>) -> bool {
        let length = file.len() as u64;
        Envelope::<Targets>::parse(role.clone(), file, length, &self.rules())
            .is_ok_and(|envelope| envelope.tally(authority).is_met())
    }
}

/// Whether it is a shard of `claimed`.
pub(crate) fn is_shard(role: &Role) -> bool {
    draft::is_claimed_shard(role.name())
}

/// Whether a batch of these roles can give a project another delegator.
pub(crate) fn may_move_projects<'a>(roles: impl IntoIterator<Item = &'a Role>) -> bool {
    let mut roles = roles.into_iter();
    roles.any(|role| is_claimed(role) || *role == recently_claimed_role())
}
