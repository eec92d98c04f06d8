//! Why a claim goes no further.

use chrono::{DateTime, Utc};
use index::ProjectName;
use metadata::{Expiry, KeyId, MetadataError};

use crate::Reason;

/// Why a claim goes no further.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Not a document, or not of the form it should have.
    #[error(transparent)]
    Document(#[from] MetadataError),
    /// Too large for a claim.
    #[error("the document is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Another document.
    #[error("this is a `{found}`, not a `{expected}`")]
    Type {
        /// The `_type` needed.
        expected: &'static str,
        /// The `_type` found.
        found: String,
    },
    /// A member that is missing or wrong.
    #[error("{member} {why}")]
    Member {
        /// The member.
        member: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Fewer of the operator's signatures than needed.
    #[error("the {what} has {valid} of {threshold} signatures of the index's operator")]
    NotOperator {
        /// The document.
        what: &'static str,
        /// How many are valid.
        valid: usize,
        /// How many are needed.
        threshold: u32,
    },
    /// A key that did not sign the request: perhaps nobody has it.
    #[error("the request is not signed by key {}, which it registers", keyid.short())]
    NotPossessed {
        /// The key.
        keyid: KeyId,
    },
    /// Made for another index.
    #[error("the {what} is for the index {found}, not {expected}")]
    OtherIndex {
        /// The document.
        what: &'static str,
        /// The index needed.
        expected: String,
        /// The index found.
        found: String,
    },
    /// Made for another project.
    #[error("the {what} is for project {found}, not {expected}")]
    OtherProject {
        /// The document.
        what: &'static str,
        /// The project needed.
        expected: ProjectName,
        /// The project found.
        found: ProjectName,
    },
    /// Answers another document than the one given.
    #[error("the {what} belongs to another {to} than the one given")]
    OtherOrigin {
        /// The document.
        what: &'static str,
        /// What it should answer.
        to: &'static str,
    },
    /// Too late.
    #[error("the {what} expired at {expires}")]
    Expired {
        /// The document.
        what: &'static str,
        /// When.
        expires: Expiry,
    },
    /// Dated later than now: a clock is wrong, or the date is.
    #[error("the {what} says it was issued at {issued}, which is yet to come")]
    NotYet {
        /// The document.
        what: &'static str,
        /// When.
        issued: DateTime<Utc>,
    },
    /// Keys that a project cannot register.
    #[error(transparent)]
    Keys(Box<Reason>),
}

impl ClaimError {
    /// The code, for programs: it stays the same for ever.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Document(_) | Self::TooLarge { .. } | Self::Type { .. } | Self::Member { .. } => {
                "claim-document"
            }
            Self::NotOperator { .. } => "claim-not-granted",
            Self::NotPossessed { .. } => "claim-not-possessed",
            Self::OtherIndex { .. } => "claim-other-index",
            Self::OtherProject { .. } => "claim-other-project",
            Self::OtherOrigin { .. } => "claim-other-origin",
            Self::Expired { .. } => "claim-expired",
            Self::NotYet { .. } => "claim-not-yet",
            Self::Keys(_) => "claim-keys",
        }
    }

    pub(crate) fn member(member: &str, why: &'static str) -> Self {
        let member = member
            .chars()
            .take(80)
            .flat_map(char::escape_debug)
            .collect();
        Self::Member { member, why }
    }
}
