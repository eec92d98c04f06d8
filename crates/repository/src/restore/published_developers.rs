//! What developers have published, read back and verified as a client does it: whose keys sign which
//! project, and the roles they have signed.

use std::collections::{BTreeMap, BTreeSet};

use claims::{ProjectRole, Registration};
use index::{DistributionFilename, ProjectName};
use metadata::{
    DelegatedRoles, Document, Role, RoleKeys, TargetFile, TargetPath, Targets, Version, Wire,
};
use trust::{Edge, Rejection, Snapped, Verified};

use crate::claim_record::ClaimStage;
use crate::developers::project_of;
use crate::error::RepositoryError;
use crate::offline_set::bins_role;
use crate::record::RoleRecord;
use crate::repository::Repository;
use crate::restore::Published;

/// What developers have published.
#[derive(Default)]
pub(crate) struct PublishedDevelopers {
    /// How far each project has come, and whose keys its delegator lists.
    pub(crate) projects: BTreeMap<ProjectName, (ClaimStage, Registration)>,
    /// Every role on the way to them, and of them. What has expired is not among these: its developers
    /// renew it, and the snapshot's digest speaks for the file until then.
    pub(crate) roles: BTreeMap<Role, Verified<Targets>>,
}

impl PublishedDevelopers {
    /// What the roles of projects list.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &(TargetPath, TargetFile)> {
        let of_projects = self.roles.iter();
        let of_projects = of_projects.filter(|(role, _)| project_of(role).is_some());
        of_projects.flat_map(|(_, document)| document.targets())
    }
}

/// Walks from `targets` over everything but the bins.
pub(super) fn read(
    repository: &Repository,
    snapped: &Snapped,
    targets: &Verified<Targets>,
) -> Result<PublishedDevelopers, RepositoryError> {
    let mut walk = Walk {
        repository,
        snapped,
        entered: BTreeSet::new(),
        found: PublishedDevelopers::default(),
    };
    let bins = bins_role();
    for edge in targets.all_edges() {
        let name = edge.name().as_str();
        if name != bins.name() {
            let stage = match name {
                draft::RECENTLY_CLAIMED => ClaimStage::RecentlyClaimed,
                _ => ClaimStage::Claimed,
            };
            walk.delegator(&edge, stage)?;
        }
    }
    Ok(walk.found)
}

struct Walk<'a> {
    repository: &'a Repository,
    snapped: &'a Snapped,
    /// Delegators seen, so that no circle of them is walked twice.
    entered: BTreeSet<Role>,
    found: PublishedDevelopers,
}

impl Walk<'_> {
    /// A role that delegates to projects, or to others that do: a shard's.
    fn delegator(&mut self, edge: &Edge<'_>, stage: ClaimStage) -> Result<(), RepositoryError> {
        let role = Role::Delegated(edge.name().clone());
        if !self.is_listed(&role) || !self.entered.insert(role.clone()) {
            return Ok(());
        }
        let Some(document) = self.verified(edge, &role, false)? else {
            return Ok(());
        };
        for edge in document.all_edges() {
            match ProjectRole::parse(edge.name()) {
                Ok(project) if project.sub_name().is_none() => {
                    let registration = registration(&document, &edge, project.project())?;
                    let project = project.project().clone();
                    self.found.projects.insert(project, (stage, registration));
                    self.project(&edge)?;
                }
                _ => self.delegator(&edge, stage)?,
            }
        }
        self.found.roles.insert(role, document);
        Ok(())
    }

    /// A project's role, then its sub-roles.
    fn project(&mut self, edge: &Edge<'_>) -> Result<(), RepositoryError> {
        let role = Role::Delegated(edge.name().clone());
        if !self.is_listed(&role) {
            return Ok(());
        }
        let Some(document) = self.verified(edge, &role, true)? else {
            return Ok(());
        };
        for edge in document.all_edges() {
            self.project(&edge)?;
        }
        self.found.roles.insert(role, document);
        Ok(())
    }

    fn is_listed(&self, role: &Role) -> bool {
        self.snapped.snapshot().get(role).is_some() && !self.found.roles.contains_key(role)
    }

    /// A role by the keys of its delegator; nothing if it has expired and `may_lapse`.
    fn verified(
        &self,
        edge: &Edge<'_>,
        role: &Role,
        may_lapse: bool,
    ) -> Result<Option<Verified<Targets>>, RepositoryError> {
        let refused = |source| RepositoryError::Rehearsal { source };
        let request = self.snapped.request(role).map_err(refused)?;
        let repository = self.repository;
        let file = repository.read_role(role, request.version, request.limit)?;
        match self.snapped.delegate(edge, &file) {
            Ok(document) => Ok(Some(document)),
            Err(Rejection::Expired { .. }) if may_lapse => Ok(None),
            Err(source) => Err(refused(source)),
        }
    }
}

/// Whose keys a delegator lists for a project.
fn registration(
    delegator: &Verified<Targets>,
    edge: &Edge<'_>,
    project: &ProjectName,
) -> Result<Registration, RepositoryError> {
    let listed = delegator.delegations.as_ref().and_then(|delegations| {
        let DelegatedRoles::Listed(roles) = &delegations.roles else {
            return None;
        };
        let role = roles.iter().find(|role| role.name == *edge.name())?;
        Some((&delegations.keys, &role.keys))
    });
    let (keys, role_keys) = listed.ok_or(RepositoryError::NoDelegation)?;
    let keys: BTreeMap<_, _> = keys
        .iter()
        .filter(|(id, _)| role_keys.keyids.contains(id))
        .map(|(id, key)| (id.clone(), key.clone()))
        .collect();
    Ok(Registration {
        project: project.clone(),
        role_keys: RoleKeys {
            keyids: keys.keys().cloned().collect(),
            threshold: role_keys.threshold,
        },
        keys,
    })
}

impl Repository {
    /// Every file that developers have given up since the backup, as the versions say that were published
    /// since. Nobody vouches for these files any more; what they say can do no more than keep a name from
    /// being used again that nobody uses.
    pub(crate) fn given_up_since(
        &self,
        published: &Published,
        known: &BTreeMap<Role, RoleRecord>,
        files: &[(Role, Version)],
    ) -> Result<BTreeSet<DistributionFilename>, RepositoryError> {
        let mut given_up = BTreeSet::new();
        for (role, version) in files {
            let Role::Delegated(name) = role else {
                continue;
            };
            let Some(project) = project_of(role) else {
                continue;
            };
            let seen = known.get(role).map(|record| record.version);
            let last = published.snapped.snapshot().get(role);
            let is_since = seen.is_none_or(|seen| *version > seen);
            if !is_since || last.is_none_or(|last| *version > last.version) {
                continue;
            }
            let file = self.read_role(role, *version, u64::MAX)?;
            let document =
                Wire::parse(&file, usize::MAX).and_then(|wire| Targets::parse(wire.signed));
            if let Ok(document) = document
                && let Ok(names) = claims::withdrawn(&project, name, &document)
            {
                given_up.extend(names);
            }
        }
        Ok(given_up)
    }
}
