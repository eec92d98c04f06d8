//! How much of a transaction may be read and held, and what its roles may say.

use chrono::TimeDelta;
use index::InspectLimits;
use trust::{Dialect, Limits, Rules};

/// Limits of a transaction. Each names where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimLimits {
    /// Bytes of one role: what clients read at most (reference fact 7, check C-22).
    pub role_bytes: u64,
    /// Entries of a transaction's archive.
    pub entries: usize,
    /// Bytes of its central directory.
    pub directory_bytes: u64,
    /// Bytes of one distribution (policy `client.file_bytes`).
    pub file_bytes: u64,
    /// Names of sub-roles that one project may ever use (policy `claims.sub_roles_per_project`): each
    /// stays in the snapshot for ever (reference fact 2) and is one more role for a lookup.
    pub sub_roles: usize,
    /// Keys of one role.
    pub keys: usize,
    /// Signatures of one file (policy `client.signatures`).
    pub signatures: usize,
    /// Least time that a new role must live from now on (check C-21).
    pub least_lifetime: TimeDelta,
    /// Longest time that a new role may live (check C-21).
    pub longest_lifetime: TimeDelta,
    /// How distributions are looked into.
    pub inspect: InspectLimits,
}

impl Default for ClaimLimits {
    fn default() -> Self {
        Self {
            role_bytes: 5_000_000,
            entries: 1_000,
            directory_bytes: 1 << 20,
            file_bytes: 5_000_000_000,
            sub_roles: 8,
            keys: 32,
            signatures: 64,
            least_lifetime: TimeDelta::days(7),
            longest_lifetime: TimeDelta::days(400),
            inspect: InspectLimits::default(),
        }
    }
}

impl ClaimLimits {
    /// As the reader of metadata wants them.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            limits: Limits {
                signatures: self.signatures,
                ..Limits::default()
            },
            dialect: Dialect::Strict,
        }
    }
}
