//! Removing and yanking what is on the index.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use index::{DistributionFilename, ProjectName, SimplePage, Yanked};

use crate::change::Change;
use crate::error::{IntakeError, RepositoryError};
use crate::intake::{Accepted, Intake};
use crate::pages::page_file;
use crate::record::FileRecord;
use crate::repository::Repository;
use crate::standing::Standing;

impl Repository {
    /// Queues the removal of files. All of one call go in one snapshot.
    pub fn remove_files(
        &mut self,
        filenames: &[String],
        now: DateTime<Utc>,
    ) -> Result<Intake, RepositoryError> {
        self.edit(filenames, now, |file| {
            Ok(Some(Change::Remove(file.filename.clone())))
        })
    }

    /// Queues that files are yanked, or with [`Yanked::No`] that they are no more. Only their pages
    /// change: who pins a yanked file can still install it (PEP 592, reference F5).
    pub fn yank_files(
        &mut self,
        filenames: &[String],
        yanked: &Yanked,
        now: DateTime<Utc>,
    ) -> Result<Intake, RepositoryError> {
        self.edit(filenames, now, |file| {
            if file.yanked == *yanked {
                return Ok(None);
            }
            let mut after = file.clone();
            after.yanked = yanked.clone();
            // A page that cannot be published would stand in the way of every cycle.
            let project = file.project().clone();
            SimplePage::new(project, vec![page_file(&after)], index::Status::default())?;
            Ok(Some(Change::Yank(file.filename.clone(), yanked.clone())))
        })
    }

    /// Queues the removal of every file of a project. Its page stays, empty: that the project has no
    /// files is signed, too, and its names stay taken (reference F7).
    pub fn remove_project(
        &mut self,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Intake, RepositoryError> {
        let refused = |error| Intake {
            refused: vec![(PathBuf::from(name), error)],
            ..Intake::default()
        };
        let project = match ProjectName::parse(name) {
            Ok(project) => project,
            Err(error) => return Ok(refused(error.into())),
        };
        let mut standing = Standing::default();
        let files: Vec<String> = standing
            .project(self, &project)?
            .now
            .keys()
            .cloned()
            .collect();
        if files.is_empty() {
            return Ok(refused(IntakeError::Unknown));
        }
        self.remove_files(&files, now)
    }

    /// Decides about each named file and queues what comes of it, in one transaction.
    fn edit(
        &mut self,
        filenames: &[String],
        now: DateTime<Utc>,
        decide: impl Fn(&FileRecord) -> Result<Option<Change>, IntakeError>,
    ) -> Result<Intake, RepositoryError> {
        let mut intake = Intake::default();
        let mut changes = Vec::new();
        let mut standing = Standing::default();
        for name in filenames {
            let path = PathBuf::from(name);
            match self.edit_one(name, &mut standing, now, &decide)? {
                Ok((file, change)) => {
                    intake.accepted.push(Accepted {
                        path,
                        filename: file.filename,
                        sha256: file.sha256,
                        already: change.is_none(),
                    });
                    changes.extend(change);
                }
                Err(error) => intake.refused.push((path, error)),
            }
        }
        intake.changes = self.state.enqueue(&changes, now)?;
        Ok(intake)
    }

    /// One file of an edit: as it stands, and the change, which `standing` then counts as done.
    fn edit_one(
        &self,
        name: &str,
        standing: &mut Standing,
        now: DateTime<Utc>,
        decide: impl Fn(&FileRecord) -> Result<Option<Change>, IntakeError>,
    ) -> Result<Result<(FileRecord, Option<Change>), IntakeError>, RepositoryError> {
        let filename = match DistributionFilename::parse(name) {
            Ok(filename) => filename,
            Err(error) => return Ok(Err(error.into())),
        };
        let Some(file) = standing.file(self, &filename)? else {
            return Ok(Err(IntakeError::Unknown));
        };
        let change = match decide(&file) {
            Ok(change) => change,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(change) = &change {
            // It was decided for a file that stands, so it can be applied.
            let _ = standing
                .project(self, filename.project())?
                .apply(change, now);
        }
        Ok(Ok((file, change)))
    }
}
