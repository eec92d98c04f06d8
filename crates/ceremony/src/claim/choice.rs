//! Which projects of which shard an event is about, from what was asked for and what the index has.

use std::collections::{BTreeMap, BTreeSet};

use draft::{ClaimedShard, ClaimsExport, DelegatedProject, ExportedClaim, RegisteredKeys};
use index::ProjectName;
use policy::Claims;

use super::{ClaimPlan, ClaimPlanFlaw};

/// The projects of an event.
pub(super) struct Choice {
    pub(super) shard: ClaimedShard,
    /// Every shard that a project could be moved to, this one among them.
    pub(super) waiting: BTreeSet<ClaimedShard>,
    moved: Vec<ProjectName>,
    keys: Vec<ProjectName>,
    released: Vec<ProjectName>,
}

/// Whether a project can be moved: its developers sign, and no other keys are on their way.
fn can_move(claim: &ExportedClaim) -> bool {
    !claim.is_claimed && claim.next.is_none()
}

impl Choice {
    pub(super) fn of(
        plan: &ClaimPlan<'_>,
        export: &ClaimsExport,
        claims: &Claims,
    ) -> Result<Self, ClaimPlanFlaw> {
        let shard_of = |project: &ProjectName| ClaimedShard::of(project, claims);
        let movable = export.projects.iter();
        let movable = movable.filter(|(_, claim)| can_move(claim));
        let movable: Vec<&ProjectName> = movable.map(|(name, _)| name).collect();
        let mut waiting: BTreeSet<ClaimedShard> =
            movable.iter().map(|name| shard_of(name)).collect();
        let named = plan.projects.iter().chain(plan.keys).chain(plan.released);
        let named: BTreeSet<ClaimedShard> = named.map(shard_of).collect();
        let asked = match plan.shard {
            None => None,
            Some(name) => Some(
                ClaimedShard::parse(name, claims)
                    .ok_or_else(|| ClaimPlanFlaw::NoSuchShard(name.to_owned()))?,
            ),
        };
        let could_be = if named.is_empty() { &waiting } else { &named };
        let shard = match (asked, could_be.first()) {
            (Some(shard), _) => shard,
            (None, None) => return Err(ClaimPlanFlaw::NothingWaits),
            (None, Some(first)) if could_be.len() == 1 => *first,
            (None, Some(_)) => return Err(several(could_be, &movable, claims)),
        };
        let mut all = plan.projects.iter().chain(plan.keys).chain(plan.released);
        if let Some(project) = all.find(|project| !shard.has(project)) {
            let project = project.clone();
            return Err(ClaimPlanFlaw::OtherShard { project });
        }
        let moved = if named.is_empty() {
            let own = movable.iter().filter(|name| shard.has(name));
            own.map(|name| (*name).clone()).collect()
        } else {
            plan.projects.to_vec()
        };
        if named.is_empty() && moved.is_empty() {
            return Err(ClaimPlanFlaw::NothingWaits);
        }
        waiting.insert(shard);
        Ok(Self {
            shard,
            waiting,
            moved,
            keys: plan.keys.to_vec(),
            released: plan.released.to_vec(),
        })
    }

    /// Every project that is named.
    pub(super) fn names(&self) -> impl Iterator<Item = ProjectName> {
        let all = self.moved.iter().chain(&self.keys).chain(&self.released);
        all.cloned()
    }

    /// Puts the projects as they will be among those that are there.
    pub(super) fn apply(
        &self,
        export: &ClaimsExport,
        projects: &mut BTreeMap<ProjectName, DelegatedProject>,
    ) -> Result<(), ClaimPlanFlaw> {
        let refuse = |project: &ProjectName, why| {
            let project = project.clone();
            Err(ClaimPlanFlaw::Project { project, why })
        };
        for project in &self.moved {
            let claim = export.projects.get(project);
            match claim {
                None => return refuse(project, "its developers do not sign yet"),
                Some(claim) if claim.is_claimed => return refuse(project, "it is claimed already"),
                Some(claim) if claim.next.is_some() => {
                    let why = "other keys are registered for it, which its next release brings";
                    return refuse(project, why);
                }
                Some(claim) => put(projects, project, &claim.in_force),
            }
        }
        for project in &self.keys {
            let claim = export
                .projects
                .get(project)
                .filter(|claim| claim.is_claimed);
            match claim.map(|claim| &claim.next) {
                None => return refuse(project, "it is not claimed"),
                Some(None) => return refuse(project, "no other keys are registered for it"),
                Some(Some(next)) => put(projects, project, next),
            }
        }
        for project in &self.released {
            if projects.remove(project).is_none() {
                return refuse(project, "it is not claimed");
            }
        }
        Ok(())
    }
}

fn put(
    projects: &mut BTreeMap<ProjectName, DelegatedProject>,
    project: &ProjectName,
    keys: &RegisteredKeys,
) {
    let delegated = DelegatedProject {
        project: project.clone(),
        keys: keys.keys.clone(),
        role_keys: keys.role_keys(),
    };
    projects.insert(project.clone(), delegated);
}

fn several(
    shards: &BTreeSet<ClaimedShard>,
    movable: &[&ProjectName],
    claims: &Claims,
) -> ClaimPlanFlaw {
    let line = |shard: &ClaimedShard| {
        let own = movable
            .iter()
            .filter(|name| ClaimedShard::of(name, claims) == *shard);
        let name = shard.role_name().map(|name| name.to_string());
        (name.unwrap_or_default(), own.count())
    };
    ClaimPlanFlaw::Several(shards.iter().map(line).collect())
}
