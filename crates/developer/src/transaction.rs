//! The archive for the index. It is checked here as the index checks it, so that what would be
//! refused does not leave.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use claims::{
    Accepted, ClaimLimits, Published, Transaction, verify_transaction, write_transaction,
};
use index::DistributionFilename;
use metadata::{DelegatedRoles, RoleName, Sha256, TargetFile, TargetPath, Targets, Version};

use crate::folder::Place;
use crate::{ProjectError, ProjectFolder};

/// A version of a role that was sent to the index.
#[derive(Clone, Debug)]
pub struct SentRole {
    /// The role.
    pub name: RoleName,
    /// Its version.
    pub version: Version,
    /// The digest of its file.
    pub sha256: Sha256,
    /// What it lists.
    pub targets: Vec<(TargetPath, TargetFile)>,
}

impl ProjectFolder {
    /// Writes everything that waits, with the distributions at these paths, into a new archive.
    pub fn upload(
        &self,
        distributions: &[PathBuf],
        to: &Path,
        now: DateTime<Utc>,
    ) -> Result<Accepted, ProjectError> {
        let roles = self.all(Place::Next)?;
        if roles.is_empty() {
            return Err(ProjectError::NothingToSend);
        }
        let files = self.named(distributions)?;
        let folder = to.parent().filter(|path| !path.as_os_str().is_empty());
        let archive = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .map_err(ProjectError::io("write", to))?;
        let open = |path: &PathBuf| File::open(path).map_err(ProjectError::io("read", path));
        let mut opened = Vec::new();
        for (name, path) in &files {
            opened.push((name, open(path)?));
        }
        let entries = roles.iter().map(|(name, file)| (name, &**file));
        let out = BufWriter::new(archive.as_file());
        write_transaction(out, entries, opened).map_err(claims::Reason::from)?;
        let accepted = self.check(archive.as_file(), now)?;
        archive
            .as_file()
            .sync_all()
            .map_err(ProjectError::io("write", to))?;
        archive
            .persist_noclobber(to)
            .map_err(|error| ProjectError::io("write", to)(error.error))?;
        for role in roles.keys() {
            self.shift(Place::Next, Place::Uploaded, role)?;
        }
        Ok(accepted)
    }

    /// The versions that were uploaded, and have to be on the index.
    pub fn sent(&self) -> Result<Vec<SentRole>, ProjectError> {
        let uploaded = self.all(Place::Uploaded)?;
        if uploaded.is_empty() {
            return Err(ProjectError::NothingSent);
        }
        let sent = uploaded.into_iter().map(|(name, file)| {
            let (document, _) = self.parse(&name, &file)?;
            Ok(SentRole {
                version: document.version,
                sha256: Sha256::of(&file),
                targets: document.targets().to_vec(),
                name,
            })
        });
        sent.collect()
    }

    /// The index has taken what was uploaded.
    pub fn accepted(&self) -> Result<Vec<RoleName>, ProjectError> {
        let uploaded = self.uploaded()?;
        for role in &uploaded {
            self.shift(Place::Uploaded, Place::Published, role)?;
            self.remove(Place::Retired, role)?;
        }
        let own = self.role(None)?.name();
        let delegated = match self.get(Place::Published, &own)? {
            Some(file) => delegated(&self.parse(&own, &file)?.0),
            None => BTreeSet::new(),
        };
        for role in self.all(Place::Published)?.into_keys() {
            if role != own && !delegated.contains(&role) {
                self.shift(Place::Published, Place::Retired, &role)?;
            }
        }
        Ok(uploaded)
    }

    /// The index has refused what was uploaded: it waits again, to be changed.
    pub fn refused(&self) -> Result<Vec<RoleName>, ProjectError> {
        let uploaded = self.uploaded()?;
        for role in &uploaded {
            self.shift(Place::Uploaded, Place::Next, role)?;
        }
        Ok(uploaded)
    }

    fn uploaded(&self) -> Result<Vec<RoleName>, ProjectError> {
        let uploaded: Vec<RoleName> = self.all(Place::Uploaded)?.into_keys().collect();
        if uploaded.is_empty() {
            return Err(ProjectError::NothingSent);
        }
        Ok(uploaded)
    }

    /// As far as this folder knows: files that the index has from before the claim are not here.
    fn check(&self, archive: &File, now: DateTime<Utc>) -> Result<Accepted, ProjectError> {
        let roles = self.all(Place::Published)?;
        let mut last_versions = BTreeMap::new();
        let mut files = BTreeMap::new();
        for (name, file) in self.all(Place::Retired)? {
            last_versions.insert(name.clone(), self.parse(&name, &file)?.0.version);
        }
        for (name, file) in &roles {
            let (document, _) = self.parse(name, file)?;
            last_versions.insert(name.clone(), document.version);
            files.extend(document.targets().iter().cloned());
        }
        let published = Published {
            registration: self.registration()?,
            roles,
            last_versions,
            files,
            withdrawn: BTreeSet::new(),
        };
        let mut transaction = Transaction::open(archive, ClaimLimits::default())?;
        Ok(verify_transaction(&published, &mut transaction, now)?)
    }

    fn named(
        &self,
        paths: &[PathBuf],
    ) -> Result<BTreeMap<DistributionFilename, PathBuf>, ProjectError> {
        let mut named = BTreeMap::new();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = DistributionFilename::parse_for(&name, self.project())?;
            named.insert(name, path.clone());
        }
        Ok(named)
    }
}

fn delegated(document: &Targets) -> BTreeSet<RoleName> {
    match document.delegations.as_ref().map(|all| &all.roles) {
        Some(DelegatedRoles::Listed(roles)) => roles.iter().map(|role| role.name.clone()).collect(),
        _ => BTreeSet::new(),
    }
}
