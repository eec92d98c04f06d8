//! `index sync DIR`: makes the index list what a folder holds, in one transaction.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use index::DistributionFilename;
use metadata::{Sha256, Sha256Stream};

use crate::change::Change;
use crate::error::RepositoryError;
use crate::intake::Intake;
use crate::repository::Repository;
use crate::standing::Standing;

/// How much a synchronisation may remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncOptions {
    /// Largest share of the files on the index that may go, in percent: an empty or half-mounted
    /// folder must not empty the index.
    pub removed_percent: u32,
    /// Remove any number.
    pub force: bool,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            removed_percent: 20,
            force: false,
        }
    }
}

/// What a synchronisation would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncPlan {
    /// Files of the folder that are not on the index.
    pub add: Vec<PathBuf>,
    /// Files on the index that are not in the folder.
    pub remove: Vec<DistributionFilename>,
    /// Files with other bytes than on the index. Names are never reused, so these will be refused.
    pub changed: Vec<PathBuf>,
    /// Files that are the same in both.
    pub unchanged: usize,
    /// What is in the folder and no distribution file.
    pub ignored: Vec<PathBuf>,
}

/// What a synchronisation did.
#[derive(Debug, Default)]
pub struct SyncReport {
    /// What was planned.
    pub plan: SyncPlan,
    /// What became of the files to be added.
    pub intake: Intake,
}

impl Repository {
    /// Compares a folder, with the folders in it, to what the index will list. Symbolic links are
    /// not followed.
    pub fn plan_sync(&self, folder: &Path) -> Result<SyncPlan, RepositoryError> {
        self.compare(folder, &mut Standing::default())
    }

    /// Queues all that makes the index list what the folder holds; nothing if more would be removed
    /// than the options allow.
    pub fn sync(
        &mut self,
        folder: &Path,
        options: SyncOptions,
        now: DateTime<Utc>,
    ) -> Result<SyncReport, RepositoryError> {
        let mut standing = Standing::default();
        let plan = self.compare(folder, &mut standing)?;
        let (removed, present) = (
            plan.remove.len(),
            plan.remove.len() + plan.changed.len() + plan.unchanged,
        );
        let percent = options.removed_percent;
        if !options.force && removed as u64 * 100 > present as u64 * u64::from(percent) {
            return Err(RepositoryError::SyncRemoves {
                removed,
                present,
                percent,
            });
        }
        let paths: Vec<PathBuf> = plan.add.iter().chain(&plan.changed).cloned().collect();
        let (mut intake, mut changes) = self.take_in(&paths, &mut standing, now)?;
        changes.extend(plan.remove.iter().cloned().map(Change::Remove));
        intake.changes = self.state.enqueue(&changes, now)?;
        Ok(SyncReport { plan, intake })
    }

    fn compare(&self, folder: &Path, standing: &mut Standing) -> Result<SyncPlan, RepositoryError> {
        let mut plan = SyncPlan::default();
        let mut present = BTreeMap::new();
        // What developers sign comes and goes with their transactions, not with a folder.
        let mut theirs = std::collections::BTreeSet::new();
        for name in self.standing_projects()? {
            let project = standing.project(self, &name)?;
            if project.developers.sign() {
                theirs.extend(project.now.keys().cloned());
            }
            for (filename, file) in &project.now {
                present.insert(filename.clone(), file.clone());
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for path in list(folder, &mut plan.ignored)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if DistributionFilename::parse(&name).is_err() {
                plan.ignored.push(path);
                continue;
            }
            match present.get(name.as_ref()) {
                None => plan.add.push(path),
                Some(file) => {
                    seen.insert(name.into_owned());
                    if digest(&path, file.size)? == Some(file.sha256) {
                        plan.unchanged += 1;
                    } else {
                        plan.changed.push(path);
                    }
                }
            }
        }
        present.retain(|name, _| !seen.contains(name) && !theirs.contains(name));
        plan.remove = present.into_values().map(|file| file.filename).collect();
        Ok(plan)
    }
}

/// The regular files below a folder, in order; anything else goes to `ignored`.
fn list(folder: &Path, ignored: &mut Vec<PathBuf>) -> Result<Vec<PathBuf>, RepositoryError> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let failed = |source| RepositoryError::Io {
            doing: "list",
            path: folder.clone(),
            source,
        };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            } else {
                ignored.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The digest of a file, if it has the size it should have.
fn digest(path: &Path, size: u64) -> Result<Option<Sha256>, RepositoryError> {
    let read = || -> io::Result<Option<Sha256>> {
        let mut file = File::open(path)?;
        if file.metadata()?.len() != size {
            return Ok(None);
        }
        let mut digest = Sha256Stream::new();
        let mut buffer = vec![0; 1 << 17];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Some(digest.finish())),
                read => digest.update(&buffer[..read]),
            }
        }
    };
    read().map_err(|source| RepositoryError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })
}
