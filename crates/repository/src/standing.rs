//! What the index will list once everything queued is published: new changes are decided against that,
//! not against what is published.

use std::collections::BTreeMap;

use claims::Registration;
use index::{DistributionFilename, ProjectName};

use crate::change::{Change, Queued};
use crate::claim_record::ClaimRecord;
use crate::error::RepositoryError;
use crate::pages::Project;
use crate::record::FileRecord;
use crate::repository::Repository;

/// Projects with their queued changes applied, loaded as they are asked for.
pub(crate) struct Standing {
    queued: BTreeMap<ProjectName, Vec<Queued>>,
    projects: BTreeMap<ProjectName, Project>,
}

impl Repository {
    /// What the index will list.
    pub(crate) fn standing(&self) -> Result<Standing, RepositoryError> {
        let mut queued: BTreeMap<ProjectName, Vec<Queued>> = BTreeMap::new();
        for one in self.state.pending()? {
            let project = one.change.project().clone();
            queued.entry(project).or_default().push(one);
        }
        Ok(Standing {
            queued,
            projects: BTreeMap::new(),
        })
    }
}

impl Standing {
    /// A project.
    pub(crate) fn project(
        &mut self,
        index: &Repository,
        name: &ProjectName,
    ) -> Result<&mut Project, RepositoryError> {
        if !self.projects.contains_key(name) {
            let mut project = Project::load(index.state.as_ref(), &index.settings, name)?;
            for one in self.queued.remove(name).unwrap_or_default() {
                // One that cannot be applied is answered by the cycle; it changes nothing here either.
                let _ = project.apply(&one.change, one.accepted);
            }
            self.projects.insert(name.clone(), project);
        }
        self.projects
            .get_mut(name)
            .ok_or_else(|| RepositoryError::Damaged {
                what: format!("project {name}"),
            })
    }

    /// A file, if it will be listed.
    pub(crate) fn file(
        &mut self,
        index: &Repository,
        filename: &DistributionFilename,
    ) -> Result<Option<FileRecord>, RepositoryError> {
        let project = self.project(index, filename.project())?;
        Ok(project.now.get(filename.as_str()).cloned())
    }

    /// How many projects are claimed by what is queued that are not among these.
    pub(crate) fn queued_claims(&self, claims: &BTreeMap<ProjectName, ClaimRecord>) -> usize {
        let is_claim = |queued: &&Vec<Queued>| {
            let mut changes = queued.iter().map(|one| &one.change);
            changes.any(|change| matches!(change, Change::Claim(_)))
        };
        let new = self
            .queued
            .iter()
            .filter(|(name, _)| !claims.contains_key(*name));
        new.filter(|(_, queued)| is_claim(queued)).count()
    }

    /// The keys that are asked for by what is queued.
    pub(crate) fn queued_registrations(&self) -> impl Iterator<Item = &Registration> {
        let queued = self.queued.values().flatten().map(|one| &one.change);
        queued.filter_map(|change| match change {
            Change::Claim(granted) => Some(&granted.registration),
            _ => None,
        })
    }

    /// Every project that has files, has had some, or gets some from what is queued.
    pub(crate) fn names(&self, index: &Repository) -> Result<Vec<ProjectName>, RepositoryError> {
        let mut names = index.state.projects()?;
        names.extend(self.queued.keys().cloned());
        names.sort();
        names.dedup();
        Ok(names)
    }
}
