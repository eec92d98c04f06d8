//! How long a state that is a database server is waited for, and how long a signer stays the one writer.

use std::time::Duration;

use crate::PolicyError;
use crate::reader::Section;

/// The keys of the table `state`.
pub(crate) const KEYS: &[&str] = &[
    "lease",
    "connect_timeout",
    "answer_timeout",
    "reconnect_for",
];

/// Limits of a state on a database server.
///
/// Policies of before have no such table; for them the default holds, which is that of the policy
/// `small-index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateLimits {
    /// How long a signer stays the one writer without renewing its lease.
    pub lease: Duration,
    /// Longest wait for one connection.
    pub connect_timeout: Duration,
    /// Longest time for one statement.
    pub answer_timeout: Duration,
    /// How long a connection that broke is tried again before a command gives up.
    pub reconnect_for: Duration,
}

impl Default for StateLimits {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(300),
            reconnect_for: Duration::from_secs(20),
        }
    }
}

impl StateLimits {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            lease: section.wait("lease")?,
            connect_timeout: section.wait("connect_timeout")?,
            answer_timeout: section.wait("answer_timeout")?,
            reconnect_for: section.wait("reconnect_for")?,
        })
    }
}
