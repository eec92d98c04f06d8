//! Why nothing was taken of what developers sent. Each has a code that stays the same for ever.

use std::io;

use chrono::{DateTime, Utc};
use claims::{ClaimError, Reason};
use index::{DistributionFilename, ProjectName};
use metadata::{KeyId, Sha256};

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The index has nobody sign.
    #[error(
        "developers cannot sign on this index: its policy or its targets role has no place for them"
    )]
    NobodySigns,
    /// Cannot be read.
    #[error("could not be read")]
    Unreadable(#[source] io::Error),
    /// Neither an archive nor a document of a claim.
    #[error("is neither the archive of a transaction nor a request or grant of a claim")]
    Unknown,
    /// A request without its grant, or a grant without its request.
    #[error("the {what} came without the {missing} that belongs to it")]
    Alone {
        /// What came.
        what: &'static str,
        /// What did not.
        missing: &'static str,
    },
    /// Whose word counts was not said.
    #[error("a claim came, and nobody said whose grants count here")]
    NoOperator,
    /// A claim that does not hold.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A request that was taken before.
    #[error("the request of {project} was used before")]
    Used {
        /// The project.
        project: ProjectName,
    },
    /// Granted before the state was recovered: it may have been used in what was lost.
    #[error(
        "{project} was granted at {issued}, before this index recovered its state ({recovered}): it may \
         have been used before"
    )]
    BeforeRecovery {
        /// The project.
        project: ProjectName,
        /// When the operator signed the grant.
        issued: DateTime<Utc>,
        /// When the state was recovered.
        recovered: DateTime<Utc>,
    },
    /// Nobody has said since a recovery that the keys of the project are still the right ones.
    #[error(
        "{project} is held: this index recovered its state, and keys registered since the backup are lost"
    )]
    Held {
        /// The project.
        project: ProjectName,
    },
    /// A key that the index's policy does not allow.
    #[error("key {} has scheme `{scheme}`, which the policy of this index does not allow", keyid.short())]
    Scheme {
        /// The key.
        keyid: KeyId,
        /// Its scheme.
        scheme: String,
    },
    /// The keys of a claimed project stand in an offline role.
    #[error("{project} is claimed: only a ceremony gives it back to the index")]
    Claimed {
        /// The project.
        project: ProjectName,
    },
    /// Keys change with a ceremony, and those of before have not signed.
    #[error(
        "{project} is claimed and gets other keys with the next ceremony: until then those of before have \
         to sign, too"
    )]
    AwaitsCeremony {
        /// The project.
        project: ProjectName,
    },
    /// Nobody has claimed the project.
    #[error("nobody has registered keys for {project}")]
    Unregistered {
        /// The project.
        project: ProjectName,
    },
    /// A transaction that breaks a rule.
    #[error(transparent)]
    Transaction(Box<Reason>),
    /// A name that was used before, with other bytes.
    #[error("`{file}` was published before with other bytes ({published})")]
    NameTaken {
        /// The file.
        file: DistributionFilename,
        /// The digest it stands for.
        published: Sha256,
    },
    /// Clients would be asked for more than they read.
    #[error("{what} would come to {needed}, more than the {limit} that clients are sure to read")]
    HeadRoom {
        /// What is full.
        what: &'static str,
        /// How much it would be.
        needed: u64,
        /// The limit.
        limit: u64,
    },
}

impl From<Reason> for ReceiveError {
    fn from(reason: Reason) -> Self {
        Self::Transaction(Box::new(reason))
    }
}

impl ReceiveError {
    /// The code, for programs: of a transaction that breaks a rule, the rule's.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NobodySigns => "nobody-signs",
            Self::Unreadable(_) => "unreadable",
            Self::Unknown => "unknown",
            Self::Alone { .. } => "claim-alone",
            Self::NoOperator => "no-operator",
            Self::Claim(error) => error.code(),
            Self::Used { .. } => "claim-used",
            Self::BeforeRecovery { .. } => "claim-before-recovery",
            Self::Held { .. } => "held",
            Self::Scheme { .. } => "key-scheme",
            Self::Claimed { .. } => "claimed",
            Self::AwaitsCeremony { .. } => "awaits-ceremony",
            Self::Unregistered { .. } => "unregistered",
            Self::Transaction(reason) => reason.code(),
            Self::NameTaken { .. } => "name-taken",
            Self::HeadRoom { .. } => "head-room",
        }
    }
}
