//! What an index checks before it takes anything of a transaction: PEP 480 "Snapshot Process" and
//! the checks C-20 to C-29 of the project's reference.

mod files;
mod history;
mod roles;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use chrono::{DateTime, Utc};
use index::{DistributionFilename, Inspected, ProjectName};
use metadata::{Expiry, RoleName, Sha256, TargetFile, TargetPath, Version};

use crate::{Layout, Reason, Registration, Transaction};
use roles::After;
pub(crate) use roles::check_keys;

/// What an index knows of a project, from its trusted state.
#[derive(Clone, Debug)]
pub struct Published {
    /// The keys that may sign `project-NAME`, and how many of them must.
    pub registration: Registration,
    /// The published files of `project-NAME` and of the sub-roles it delegates to; nothing before
    /// the first transaction.
    pub roles: BTreeMap<RoleName, Vec<u8>>,
    /// The last version of every role that the project ever had, sub-roles given up included.
    pub last_versions: BTreeMap<RoleName, Version>,
    /// Every distribution of the project on the index, and `.metadata` of every wheel, whoever
    /// signs for them.
    pub files: BTreeMap<TargetPath, TargetFile>,
    /// Every file that the project has given up.
    pub withdrawn: BTreeSet<DistributionFilename>,
}

/// A transaction that may be stored and published, whole. Made by [`verify_transaction`] alone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// The project.
    pub project: ProjectName,
    /// Whether it is the first of the project: from here on its role alone speaks for its files.
    pub is_first: bool,
    /// The new versions of its roles.
    pub roles: Vec<AcceptedRole>,
    /// The distributions that came with it and were not on the index before.
    pub new_files: Vec<NewFile>,
    /// The files given up.
    pub withdrawn: BTreeSet<DistributionFilename>,
    /// Sub-roles, and roles that a lookup visits.
    pub layout: Layout,
}

/// One new version of a role.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AcceptedRole {
    /// Its name.
    pub name: RoleName,
    /// Its version.
    pub version: Version,
    /// When it expires.
    pub expires: Expiry,
    /// The file as received.
    pub file: Vec<u8>,
    /// Its digest, for the snapshot.
    pub sha256: Sha256,
}

/// One new distribution.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewFile {
    /// Its name.
    pub filename: DistributionFilename,
    /// Length and digest.
    pub file: TargetFile,
    /// What it says of itself.
    pub inspected: Inspected,
}

/// Checks a transaction against what is published, reading each file in it once and storing nothing.
pub fn verify_transaction<R: Read + Seek>(
    published: &Published,
    transaction: &mut Transaction<R>,
    now: DateTime<Utc>,
) -> Result<Accepted, Reason> {
    let project = published.registration.project.clone();
    if *transaction.project() != project {
        return Err(Reason::OtherProject {
            entry: format!("a transaction of {}", transaction.project()),
            project,
        });
    }
    let after = After::of(published, transaction, now)?;
    let listed = files::listed(&project, &after)?;
    let withdrawn = history::check(published, transaction, &after, &listed)?;
    let new_files = files::check(published, transaction, &listed)?;
    let roles = transaction.roles().iter().map(|(name, file)| {
        let document = after.document(name)?;
        Ok(AcceptedRole {
            name: name.clone(),
            version: document.version,
            expires: document.expires,
            file: file.clone(),
            sha256: Sha256::of(file),
        })
    });
    Ok(Accepted {
        is_first: published.roles.is_empty(),
        roles: roles.collect::<Result<_, Reason>>()?,
        layout: Layout::of(after.sub_roles().count()),
        project,
        new_files,
        withdrawn,
    })
}
