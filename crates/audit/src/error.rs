//! Why an audit could not be held at all; what it finds wrong stands in its report.

use std::io;

use client::ClientError;
use metadata::Role;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Root, timestamp, snapshot or targets could not be had or believed: without them there is
    /// nothing to walk.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// More delegations than one audit follows.
    #[error("{role} brings the delegations to {found}, more than {limit}")]
    TooManyRoles {
        /// The role whose delegations cross the limit.
        role: Role,
        /// Delegations with it.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// No temporary folder for what was verified.
    #[error("no temporary folder could be made")]
    Scratch(#[source] io::Error),
}

impl AuditError {
    /// The exit code of programs that stop with it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Client(error) => error.exit_code(),
            Self::TooManyRoles { .. } | Self::Scratch(_) => 1,
        }
    }
}
