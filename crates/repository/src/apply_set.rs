//! `index apply`: the only way offline-signed roles reach the repository (DESIGN §5).

use std::path::Path;

use chrono::{DateTime, Utc};
use metadata::{Role, Version};

use crate::batch::check_layout;
use crate::cycle::offline_versions;
use crate::error::RepositoryError;
use crate::offline_set::OfflineSet;
use crate::outlook::{in_force, published};
use crate::repository::Repository;

impl Repository {
    /// Checks a ceremony's set against what is published and keeps it for the next cycle.
    pub fn apply_set(
        &mut self,
        folder: &Path,
        now: DateTime<Utc>,
    ) -> Result<Vec<(Role, Version)>, RepositoryError> {
        let files = OfflineSet::read(folder, &self.settings.policy)?;
        let roles = self.roles_by_name()?;
        let before = self.read_before(&roles, None)?;
        let published = published(&before)?;
        if !self.state.waiting_sets()?.is_empty() {
            let why = "another set still waits for the next cycle".to_owned();
            return Err(RepositoryError::Set { why });
        }
        let set = OfflineSet { id: 0, files };
        let checked = set.check(&published, &self.settings.policy, &self.rules(), now)?;
        let versions = offline_versions(Some(&checked));
        check_layout(&in_force(published, Some(&checked))?.bins, &self.settings)?;
        self.state.enqueue_set(&set.files, now)?;
        Ok(versions)
    }
}
