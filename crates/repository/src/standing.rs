//! What the index will list once everything queued is published: new changes are decided against that,
//! not against what is published.

use std::collections::BTreeMap;

use claims::Registration;
use index::{DistributionFilename, ProjectName};

use crate::change::Change;
use crate::claim_record::ClaimRecord;
use crate::error::RepositoryError;
use crate::pages::Project;
use crate::record::FileRecord;
use crate::repository::Repository;

/// Projects with their queued changes applied, loaded as they are asked for.
#[derive(Default)]
pub(crate) struct Standing {
    projects: BTreeMap<ProjectName, Project>,
}

impl Project {
    /// A project as it will be once its queued changes are published.
    pub(crate) fn load_queued(
        index: &Repository,
        name: &ProjectName,
    ) -> Result<Self, RepositoryError> {
        let mut project = Self::load(index.state.as_ref(), &index.settings, name)?;
        for one in index.state.pending_of(name)? {
            // One that cannot be applied is answered by the cycle; it changes nothing here either.
            let _ = project.apply(&one.change, one.accepted);
        }
        Ok(project)
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
            let project = Project::load_queued(index, name)?;
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

    /// Has these projects stand as they did.
    pub(crate) fn put_back(&mut self, before: BTreeMap<ProjectName, Project>) {
        self.projects.extend(before);
    }
}

impl Repository {
    /// How many projects are claimed by what is queued that are not among these.
    pub(crate) fn queued_claims(
        &self,
        claims: &BTreeMap<ProjectName, ClaimRecord>,
    ) -> Result<usize, RepositoryError> {
        let mut new = self.state.pending()?;
        new.retain(|one| matches!(one.change, Change::Claim(_)));
        let mut projects: Vec<_> = new.iter().map(|one| one.change.project()).collect();
        projects.sort();
        projects.dedup();
        projects.retain(|project| !claims.contains_key(*project));
        Ok(projects.len())
    }

    /// The keys that are asked for by what is queued.
    pub(crate) fn queued_registrations(&self) -> Result<Vec<Registration>, RepositoryError> {
        let queued = self.state.pending()?.into_iter();
        Ok(queued
            .filter_map(|one| match one.change {
                Change::Claim(granted) => Some(granted.registration),
                _ => None,
            })
            .collect())
    }

    /// Every project that has files, has had some, or gets some from what is queued.
    pub(crate) fn standing_projects(&self) -> Result<Vec<ProjectName>, RepositoryError> {
        let mut names = self.state.projects()?;
        let queued = self.state.pending()?;
        names.extend(queued.iter().map(|one| one.change.project().clone()));
        names.sort();
        names.dedup();
        Ok(names)
    }
}
