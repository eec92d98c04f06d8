//! The next version of a project's role, as a developer wants it: files added and given up,
//! sub-roles named and removed. Nothing is signed here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek};

use index::{
    DistributionFilename, InspectError, InspectLimits, Inspected, file_path, inspect, metadata_path,
};
use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, Expiry, MetadataError, PathSet, PublicKey,
    RoleKeys, Sha256, Sha256Stream, TargetFile, TargetPath, Targets, Version,
};

use crate::{FilePattern, ProjectRole, RoleNameError, WITHDRAWN, withdrawn_value};

/// A distribution that was looked into, to its last byte.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// Its name.
    pub filename: DistributionFilename,
    /// Length and digest.
    pub file: TargetFile,
    /// What it says of itself; it fits the name.
    pub inspected: Inspected,
}

/// Why a role has no such next version.
#[derive(Debug, thiserror::Error)]
pub enum NextError {
    /// The distribution could not be read.
    #[error("{file} could not be read")]
    Unreadable {
        /// The file.
        file: DistributionFilename,
        /// Why.
        source: io::Error,
    },
    /// Not the distribution that its name says.
    #[error("{file} is not what its name says")]
    Distribution {
        /// The file.
        file: DistributionFilename,
        /// Why.
        source: Box<InspectError>,
    },
    /// Listed before, with other bytes.
    #[error("{file} is listed with other bytes; a file never changes")]
    Changed {
        /// The file.
        file: DistributionFilename,
    },
    /// To be given up, but not listed.
    #[error("{file} is not listed by this role and cannot be given up")]
    NotListed {
        /// The file.
        file: DistributionFilename,
    },
    /// Versions have come to an end.
    #[error(transparent)]
    Version(#[from] MetadataError),
    /// Not the name of a sub-role.
    #[error(transparent)]
    Name(#[from] RoleNameError),
    /// No such sub-role.
    #[error("there is no sub-role {role}")]
    NoSubRole {
        /// The role.
        role: ProjectRole,
    },
}

impl Distribution {
    /// Reads a file to its end.
    pub fn read(
        filename: DistributionFilename,
        mut reader: impl Read + Seek,
        limits: &InspectLimits,
    ) -> Result<Self, NextError> {
        let file = measure(&mut reader)
            .and_then(|file| reader.rewind().map(|()| file))
            .map_err(|source| NextError::Unreadable {
                file: filename.clone(),
                source,
            })?;
        let inspected =
            inspect(&filename, io::BufReader::new(reader), limits).map_err(|source| {
                let (file, source) = (filename.clone(), Box::new(source));
                NextError::Distribution { file, source }
            })?;
        Ok(Self {
            filename,
            file,
            inspected,
        })
    }

    /// What a role lists for it: the file, and a wheel's core metadata.
    #[must_use]
    pub fn entries(&self) -> Vec<(TargetPath, TargetFile)> {
        let mut entries = vec![(file_path(&self.filename), self.file.clone())];
        if let Some(metadata) = &self.inspected.core_metadata {
            let file = TargetFile::new(metadata.len() as u64, Sha256::of(metadata));
            entries.push((metadata_path(&self.filename), file));
        }
        entries
    }
}

/// Length and digest of everything a reader has.
pub(crate) fn measure(reader: &mut impl Read) -> io::Result<TargetFile> {
    let mut digest = Sha256Stream::new();
    let mut length = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok(TargetFile::new(length, digest.finish()));
        }
        digest.update(&buffer[..count]);
        length += count as u64;
    }
}

/// The version after `last`, with the files of `previous`, those added, and without those given up,
/// which it names.
pub fn next_role(
    previous: Option<&Targets>,
    last: Option<Version>,
    expires: Expiry,
    added: &[Distribution],
    given_up: &BTreeSet<DistributionFilename>,
) -> Result<Targets, NextError> {
    let version = last.map_or(Ok(Version::FIRST), Version::next)?;
    let listed = previous.map_or(&[][..], Targets::targets);
    let mut listed: BTreeMap<TargetPath, TargetFile> = listed.iter().cloned().collect();
    for distribution in added {
        for (path, file) in distribution.entries() {
            let before = listed.insert(path, file.clone());
            if before.is_some_and(|before| before.hashes != file.hashes) {
                let file = distribution.filename.clone();
                return Err(NextError::Changed { file });
            }
        }
    }
    for file in given_up {
        if listed.remove(&file_path(file)).is_none() {
            return Err(NextError::NotListed { file: file.clone() });
        }
        listed.remove(&metadata_path(file));
    }
    let mut next = Targets::new(version, expires).with_targets(listed);
    if let Some(previous) = previous {
        next.delegations.clone_from(&previous.delegations);
        next.extra.clone_from(&previous.extra);
    }
    next.extra.remove(WITHDRAWN);
    if !given_up.is_empty() {
        let member = (WITHDRAWN.to_owned(), withdrawn_value(given_up));
        next.extra.extend([member]);
    }
    Ok(next)
}

/// Names a sub-role, last in order if it is new, and says whose keys sign it and for what.
#[must_use]
pub fn with_sub_role(
    document: Targets,
    role: &ProjectRole,
    keys: &[PublicKey],
    threshold: u32,
    patterns: &[FilePattern],
) -> Targets {
    let paths = patterns.iter().map(|pattern| pattern.of(role.project()));
    let new = DelegatedRole {
        name: role.name(),
        keys: RoleKeys {
            keyids: keys.iter().map(PublicKey::id).collect(),
            threshold,
        },
        paths: PathSet::Patterns(paths.collect()),
        // The edge to the project terminates; its sub-roles are asked one after the other.
        terminating: false,
    };
    edit(document, keys, |roles| {
        match roles.iter_mut().find(|one| one.name == new.name) {
            Some(old) => *old = new,
            None => roles.push(new),
        }
    })
}

/// Removes a sub-role.
pub fn without_sub_role(document: Targets, role: &ProjectRole) -> Result<Targets, NextError> {
    let name = role.name();
    let mut found = false;
    let edited = edit(document, &[], |roles| {
        let before = roles.len();
        roles.retain(|one| one.name != name);
        found = roles.len() < before;
    });
    if found {
        Ok(edited)
    } else {
        Err(NextError::NoSubRole { role: role.clone() })
    }
}

/// Edits the delegations, with the keys that are then still used; none at all if no role is left.
fn edit(
    mut document: Targets,
    keys: &[PublicKey],
    change: impl FnOnce(&mut Vec<DelegatedRole>),
) -> Targets {
    let before = document.delegations.take();
    let (mut known, mut roles) = match before {
        Some(Delegations {
            keys,
            roles: DelegatedRoles::Listed(roles),
        }) => (keys, roles),
        _ => (BTreeMap::new(), Vec::new()),
    };
    known.extend(keys.iter().map(|key| (key.id(), key.clone())));
    change(&mut roles);
    known.retain(|id, _| roles.iter().any(|role| role.keys.keyids.contains(id)));
    if !roles.is_empty() {
        document.delegations = Some(Delegations {
            keys: known,
            roles: DelegatedRoles::Listed(roles),
        });
    }
    document
}
