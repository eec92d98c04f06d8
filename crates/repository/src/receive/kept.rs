//! Roles and distributions of developers as bytes: kept as uploads, read back held against their digests.

use std::io::{Read, Seek};

use chrono::{DateTime, Utc};
use claims::{Accepted, Transaction};
use index::Yanked;
use metadata::Role;

use super::ReceiveError;
use crate::error::RepositoryError;
use crate::record::{FileRecord, Listing, RoleRecord};
use crate::repository::Repository;
use crate::store::StorePath;

impl Repository {
    /// A role's file, published or on its way.
    pub(super) fn any_role(&self, record: &RoleRecord) -> Result<Vec<u8>, RepositoryError> {
        match self.read_upload(record)? {
            Some(bytes) => Self::held_against(record, bytes),
            None => self.published_role(record),
        }
    }

    /// A published role's file, held against the state's digest.
    pub(crate) fn published_role(&self, record: &RoleRecord) -> Result<Vec<u8>, RepositoryError> {
        let damaged = || RepositoryError::Damaged {
            what: format!("role {}", record.role),
        };
        let name = record.role.versioned_file_name(record.version);
        let path = StorePath::metadata(&name).ok_or_else(damaged)?;
        Ok(self
            .store
            .get_checked(&path, record.length, record.sha256)?)
    }

    /// The file of a role that was taken in, held against its digest.
    pub(crate) fn received_role(&self, record: &RoleRecord) -> Result<Vec<u8>, RepositoryError> {
        match self.read_upload(record)? {
            Some(bytes) => Self::held_against(record, bytes),
            None => Err(self.upload_failed("open", &record.sha256)(
                std::io::ErrorKind::NotFound.into(),
            )),
        }
    }

    /// The upload that should be a role, with one byte more than that at most.
    fn read_upload(&self, record: &RoleRecord) -> Result<Option<Vec<u8>>, RepositoryError> {
        let opened = self.uploads.open(&record.sha256);
        let Some(upload) = opened.map_err(self.upload_failed("open", &record.sha256))? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        upload
            .take(record.length + 1)
            .read_to_end(&mut bytes)
            .map_err(self.upload_failed("read", &record.sha256))?;
        Ok(Some(bytes))
    }

    fn held_against(record: &RoleRecord, bytes: Vec<u8>) -> Result<Vec<u8>, RepositoryError> {
        if metadata::Sha256::of(&bytes) == record.sha256 {
            return Ok(bytes);
        }
        Err(RepositoryError::Damaged {
            what: format!("the upload of role {}", record.role),
        })
    }

    /// Keeps new distributions and their core metadata as uploads.
    pub(super) fn keep_files<R: Read + Seek>(
        &self,
        transaction: &mut Transaction<R>,
        accepted: &Accepted,
        now: DateTime<Utc>,
    ) -> Result<Result<Vec<FileRecord>, ReceiveError>, RepositoryError> {
        let mut files = Vec::new();
        for new in &accepted.new_files {
            let copied = self.keep_with(|out| transaction.copy(&new.filename, out))?;
            let (sha256, size) = match copied {
                Ok(copied) => copied,
                Err(error) => return Ok(Err(ReceiveError::Unreadable(error))),
            };
            // Whoever changes the archive while it is read gets nothing in.
            if new.file.hashes.get_sha256() != Some(sha256) || new.file.length != size {
                let error = std::io::Error::other("the archive changed while it was read");
                return Ok(Err(ReceiveError::Unreadable(error)));
            }
            let core_metadata = match &new.inspected.core_metadata {
                None => None,
                Some(bytes) => Some(self.keep_bytes(bytes)?),
            };
            files.push(FileRecord {
                filename: new.filename.clone(),
                sha256,
                size,
                requires_python: new.inspected.requires_python.clone(),
                uploaded: now,
                core_metadata,
                yanked: Yanked::No,
            });
        }
        Ok(Ok(files))
    }

    /// Keeps the files of roles as uploads.
    pub(super) fn keep_roles(
        &self,
        accepted: &Accepted,
    ) -> Result<Vec<RoleRecord>, RepositoryError> {
        let keep = |role: &claims::AcceptedRole| {
            let (sha256, length) = self.keep_bytes(&role.file)?;
            Ok(RoleRecord {
                role: Role::Delegated(role.name.clone()),
                version: role.version,
                sha256,
                length,
                expires: role.expires.instant(),
                listing: Listing::Full,
            })
        };
        accepted.roles.iter().map(keep).collect()
    }
}
