//! `index apply`: the only way offline-signed roles reach the repository (DESIGN §5).

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use metadata::{Role, Sha256, Version};

use crate::change::Change;
use crate::cycle::offline_versions;
use crate::error::RepositoryError;
use crate::offline_set::{OfflineFile, OfflineSet, bins_role};
use crate::outlook::{in_force, published};
use crate::receive::{ReceiveError, SignedBy};
use crate::record::RoleRecord;
use crate::repository::Repository;

/// Names the roles of a set none of which is newer than what is published, or differs from it.
fn already_published(
    files: &[OfflineFile],
    published: &BTreeMap<Role, RoleRecord>,
) -> Option<String> {
    let mut names = Vec::new();
    for file in files {
        let record = published.get(&file.role)?;
        let is_same = || Sha256::of(&file.bytes) == record.sha256;
        if file.version > record.version || (file.version == record.version && !is_same()) {
            return None;
        }
        names.push(format!("{} v{}", file.role, file.version));
    }
    names.sort();
    Some(format!(
        "{} {}",
        names.join(", "),
        if names.len() == 1 { "was" } else { "were" }
    ))
}

impl Repository {
    /// Checks a ceremony's set against what is published and keeps it for the next cycle.
    pub fn apply_set(
        &mut self,
        folder: &Path,
        now: DateTime<Utc>,
    ) -> Result<Vec<(Role, Version)>, RepositoryError> {
        self.apply_set_with(folder, &[], now)
    }

    /// The same with transactions that are signed by keys which the set brings: published together, for
    /// neither could be without the other.
    pub fn apply_set_with(
        &mut self,
        folder: &Path,
        transactions: &[PathBuf],
        now: DateTime<Utc>,
    ) -> Result<Vec<(Role, Version)>, RepositoryError> {
        let files = OfflineSet::read(folder, &self.settings.policy)?;
        let roles = self.roles_by_name()?;
        if let Some(roles) = already_published(&files, &roles) {
            return Err(RepositoryError::SetPublished { roles });
        }
        let before = self.read_before(&roles, None)?;
        let mut published = published(&before)?;
        published.claimed = self.published_claimed(&roles, true)?;
        if !self.state.waiting_sets()?.is_empty() {
            let why = "another set still waits for the next cycle".to_owned();
            return Err(RepositoryError::Set { why });
        }
        let set = OfflineSet { id: 0, files };
        let former = self.former_keys()?;
        let policy = &self.settings.policy;
        let checked = set.check(&published, former.as_ref(), policy, &self.rules(), now)?;
        self.check_room(&checked, &roles)?;
        let changes = self.project_changes(&checked, &published, now)?;
        let coming = self.coming(transactions, now)?;
        self.check_resigned(&changes, &coming)?;
        let versions = offline_versions(Some(&checked));
        let is_first = published.bins.is_none();
        let in_force = in_force(published, Some(&checked), former)?;
        if is_first && in_force.layout != self.settings.layout {
            let (role, version) = (bins_role(), in_force.bins.version);
            return Err(RepositoryError::Layout { role, version });
        }
        self.sync_incoming()?;
        self.state.enqueue_set(&set.files, &coming, now)?;
        Ok(versions)
    }

    /// Transactions verified by the keys that will be in force.
    fn coming(
        &self,
        transactions: &[PathBuf],
        now: DateTime<Utc>,
    ) -> Result<Vec<Change>, RepositoryError> {
        let verified = |path: &PathBuf| {
            let refused = |source| RepositoryError::WithSet {
                path: path.clone(),
                source: Box::new(source),
            };
            let file =
                File::open(path).map_err(|error| refused(ReceiveError::Unreadable(error)))?;
            let kept = self.keep_transaction(file, SignedBy::KeysToCome, now)?;
            let (change, _) = kept.map_err(refused)?;
            Ok(change)
        };
        transactions.iter().map(verified).collect()
    }
}
