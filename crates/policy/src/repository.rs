//! What the repository refuses to publish, because clients would refuse to read it.

use crate::PolicyError;
use crate::reader::Section;

/// Largest snapshot that the clients in use read without being told its length.
pub(crate) const CLIENTS_SNAPSHOT_BYTES: u64 = 2_000_000;
/// Largest targets role that the clients in use read without being told its length.
pub(crate) const CLIENTS_ROLE_BYTES: u64 = 5_000_000;

/// The keys of the table `repository`.
pub(crate) const KEYS: &[&str] = &["snapshot_bytes", "role_bytes", "target_path_bytes"];

/// Limits of what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositoryLimits {
    /// Largest snapshot, in bytes; at most 2,000,000.
    pub snapshot_bytes: u64,
    /// Largest targets role of any name, in bytes; at most 5,000,000.
    pub role_bytes: u64,
    /// Longest target path, in bytes; at most 1,024.
    pub target_path_bytes: u32,
}

impl RepositoryLimits {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            snapshot_bytes: section.integer("snapshot_bytes", 1..=u64::from(u32::MAX))?,
            role_bytes: section.integer("role_bytes", 1..=u64::from(u32::MAX))?,
            target_path_bytes: section.count("target_path_bytes", 64..=1_024)?,
        })
    }
}
