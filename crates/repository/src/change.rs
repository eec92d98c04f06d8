//! Changes to the index, as they are queued.

use chrono::{DateTime, Utc};
use index::{DistributionFilename, Yanked};
use metadata::Version;

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
}

impl Change {
    /// The file it is about.
    #[must_use]
    pub fn filename(&self) -> &DistributionFilename {
        match self {
            Self::Add(file) => &file.filename,
            Self::Remove(filename) | Self::Yank(filename, _) => filename,
        }
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
