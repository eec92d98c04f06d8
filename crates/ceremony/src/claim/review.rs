//! What an event does to projects, for the people who are asked to sign it.

use chrono::{DateTime, Utc};
use draft::{ExportedClaim, ProjectChange, RegisteredKeys, delegated_projects};
use index::ProjectName;
use metadata::Sha256;
use policy::Claims;

use crate::{CeremonyError, Event};

/// The projects of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimsReview {
    /// The shard.
    pub shard: String,
    /// The digest that the index said when it wrote its claims down.
    pub export: Sha256,
    /// The digest of the part that is frozen in the event.
    pub frozen: Sha256,
    /// What changes, in the order of names.
    pub projects: Vec<ProjectReview>,
    /// How many other projects the shard has, which stay as they are.
    pub kept: usize,
    /// Bytes of the shard to be signed.
    pub bytes: u64,
    /// How many it may have (policy `repository.role_bytes`).
    pub limit: u64,
    /// The snapshot once the event is published.
    pub snapshot: SnapshotRoom,
    /// Roles that the longest lookup visits.
    pub roles_visited: u32,
    /// How many clients visit (policy `client.delegations`).
    pub roles_visited_limit: u32,
}

/// What is left of the snapshot's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotRoom {
    /// Bytes that it has at most: those of the day the claims were exported, what is added, and room for
    /// signatures.
    pub used: u64,
    /// How many it may have (policy `repository.snapshot_bytes`).
    pub limit: u64,
    /// Whether the event adds roles to it.
    pub grows: bool,
}

/// One project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectReview {
    /// Its name.
    pub project: ProjectName,
    /// What becomes of it.
    pub change: ProjectChange,
    /// Since when its developers have signed under the role that delegates to it now.
    pub since: DateTime<Utc>,
    /// Whole days from then to the plan.
    pub age_days: i64,
    /// The keys that go; none for a project that is moved as it is.
    pub before: Option<RegisteredKeys>,
    /// The keys that count from now on; none for one that is given back.
    pub keys: Option<RegisteredKeys>,
}

impl Event {
    /// What the roles that are new leave of the snapshot; nothing for an event without claims.
    pub(super) fn snapshot_room(&self) -> Option<SnapshotRoom> {
        let claims = self.claims.as_ref()?;
        let new = self.claimed.iter();
        let new = new.filter(|slot| slot.previous.is_none() && slot.new.is_some());
        let new: Vec<&str> = new.map(|slot| slot.role.name()).collect();
        Some(SnapshotRoom {
            grows: !new.is_empty(),
            used: draft::snapshot_bytes_with(claims.snapshot_bytes, new),
            limit: self.policy.repository.snapshot_bytes,
        })
    }

    /// What becomes of projects; nothing for an event that is about none.
    pub(crate) fn review_claims(&self) -> Result<Option<ClaimsReview>, CeremonyError> {
        let (Some(part), Some(claims)) = (&self.description.claims, &self.claims) else {
            return Ok(None);
        };
        let Some(snapshot) = self.snapshot_room() else {
            return Ok(None);
        };
        let slot = self.claimed.iter();
        let slot = slot.filter(|slot| slot.new.is_some());
        let Some(slot) = slot.into_iter().find(|slot| slot.role.name() == part.shard) else {
            return Ok(None);
        };
        let changes = self.project_changes(slot)?;
        let new = slot.current()?;
        let listed = delegated_projects(new).map_or(0, |listed| listed.len());
        let stay = changes
            .values()
            .filter(|change| **change != ProjectChange::Released);
        let kept = listed.saturating_sub(stay.count());
        let project = |(project, change): (ProjectName, ProjectChange)| {
            let claim = claims.projects.get(&project)?;
            Some(self.review_project(project.clone(), change, claim))
        };
        Ok(Some(ClaimsReview {
            shard: part.shard.clone(),
            export: Sha256::parse(&part.export)?,
            frozen: Sha256::of(&claims.to_canonical()),
            projects: changes.into_iter().filter_map(project).collect(),
            kept,
            bytes: slot.payload().map_or(0, |(_, bytes)| bytes.len() as u64),
            limit: self.policy.repository.role_bytes,
            snapshot,
            roles_visited: self.policy.claims.as_ref().map_or(0, Claims::longest_walk),
            roles_visited_limit: self.policy.client.delegations,
        }))
    }

    fn review_project(
        &self,
        project: ProjectName,
        change: ProjectChange,
        claim: &ExportedClaim,
    ) -> ProjectReview {
        let (in_force, next) = (claim.in_force.clone(), claim.next.clone());
        let (before, keys) = match change {
            ProjectChange::Claimed => (None, Some(in_force)),
            ProjectChange::KeysReplaced { .. } => (Some(in_force), next),
            ProjectChange::Released => (Some(in_force), None),
        };
        ProjectReview {
            project,
            change,
            since: claim.since,
            age_days: (self.planned - claim.since).num_days(),
            before,
            keys,
        }
    }

    /// What deserves a second thought of a project.
    pub(crate) fn project_concerns(review: &ClaimsReview) -> Vec<String> {
        let concern = |one: &ProjectReview| match one.change {
            ProjectChange::KeysReplaced { vouched: false } => Some(format!(
                "{}: too few of its keys vouch for the new ones; whoever has lost keys, or takes the \
                 project over, has to be known to you by another way",
                one.project
            )),
            ProjectChange::Released => Some(format!(
                "{}: the index speaks for it again; a thief of the online key could then replace its files",
                one.project
            )),
            _ => None,
        };
        review.projects.iter().filter_map(concern).collect()
    }
}
