//! Changes to the index, as they are queued.

use chrono::{DateTime, Utc};
use index::{DistributionFilename, ProjectName, Yanked};
use metadata::{Sha256, Version};

use crate::claim_record::{Granted, TransactionRecord};
use crate::record::FileRecord;

/// Number of a queued change; ascending in the order accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(pub i64);

/// One change to the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file is added. Its bytes lie in the intake folder under their digest.
    Add(FileRecord),
    /// A file is removed; its name stays taken (reference F7).
    Remove(DistributionFilename),
    /// A file is yanked, or no more: its page says so, its target stays (PEP 592, reference F5).
    Yank(DistributionFilename, Yanked),
    /// Keys of a project are registered, the first ones or others (PEP 480).
    Claim(Box<Granted>),
    /// Developers release, with new versions of their project's roles.
    Transaction(Box<TransactionRecord>),
    /// The index speaks for a project again, which nobody has claimed then (reference C.9).
    Release(ProjectName),
}

impl Change {
    /// The project it is about.
    #[must_use]
    pub fn project(&self) -> &ProjectName {
        match self {
            Self::Add(file) => file.project(),
            Self::Remove(filename) | Self::Yank(filename, _) => filename.project(),
            Self::Claim(granted) => &granted.registration.project,
            Self::Transaction(transaction) => &transaction.project,
            Self::Release(project) => project,
        }
    }

    /// The one file it is about.
    pub(crate) fn filename(&self) -> Option<&DistributionFilename> {
        match self {
            Self::Add(file) => Some(&file.filename),
            Self::Remove(filename) | Self::Yank(filename, _) => Some(filename),
            Self::Claim(_) | Self::Transaction(_) | Self::Release(_) => None,
        }
    }

    /// The files it brings.
    #[must_use]
    pub fn files(&self) -> &[FileRecord] {
        match self {
            Self::Add(file) => std::slice::from_ref(file),
            Self::Transaction(transaction) => &transaction.files,
            Self::Remove(_) | Self::Yank(..) | Self::Claim(_) | Self::Release(_) => &[],
        }
    }

    /// The bytes it needs in the intake folder until it is published, by their digests.
    pub(crate) fn uploads(&self) -> Vec<Sha256> {
        let mut digests = Vec::new();
        for file in self.files() {
            digests.push(file.sha256);
            digests.extend(file.core_metadata.map(|(digest, _)| digest));
        }
        if let Self::Transaction(transaction) = self {
            digests.extend(transaction.roles.iter().map(|role| role.sha256));
        }
        digests
    }
}

/// A change waiting to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub id: ChangeId,
    /// When it was accepted.
    pub accepted: DateTime<Utc>,
    /// The change.
    pub change: Change,
}

/// What became of changes that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Not all of them are decided, or the work that decided them is still being published.
    Waiting,
    /// Every one, in the order asked; what is published is covered by the published timestamp.
    Decided(Vec<(ChangeId, Outcome)>),
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in this snapshot and all later ones.
    Published(Version),
    /// It could not be applied after those before it.
    Refused(String),
}
