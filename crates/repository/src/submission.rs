//! Submissions: what one request of an index's web heads asks for. Many at once are decided in order and
//! queued in one transaction, so that one wait for the disk acknowledges all of them.

mod decide;

use chrono::{DateTime, Utc};
use index::{DistributionFilename, ProjectName, Yanked};
use metadata::Sha256;

use crate::change::{Change, ChangeId};
use crate::error::{IntakeError, RepositoryError};
use crate::receive::ReceiveError;
use crate::record::FileRecord;

/// Number of a submission; ascending in the order accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmissionId(pub i64);

/// Whose a submission is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Name of the token it came with.
    pub name: String,
    /// Its idempotency key, if it has one: under it the sender gets the same answer for ever.
    pub key: Option<RequestKey>,
}

/// An idempotency key, and what was sent under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// The key; each sender has its own.
    pub key: String,
    /// Digest of the request, so that another one under the same key is noticed.
    pub digest: Sha256,
}

/// One thing asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A file that [`Repository::examine`] looked into and kept.
    Add(Box<FileRecord>),
    /// A file is to be yanked, or with [`Yanked::No`] no more.
    Yank(DistributionFilename, Yanked),
    /// A file is to go.
    Remove(DistributionFilename),
    /// All files of a project are to go.
    RemoveProject(ProjectName),
}

/// What one request asks for: all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Whose it is.
    pub sender: Sender,
    /// What it asks for, in order.
    pub wishes: Vec<Wish>,
}

/// What an entry of a submission does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Adds a file.
    Add,
    /// Removes a file.
    Remove,
    /// Yanks a file.
    Yank,
    /// Yanks a file no more.
    Unyank,
    /// Takes a transaction of developers in.
    Transaction,
}

/// One change that a submission came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is done.
    pub action: Action,
    /// The project.
    pub project: ProjectName,
    /// The file, unless it is a transaction.
    pub filename: Option<DistributionFilename>,
    /// Digest of the file, if it brings one.
    pub sha256: Option<Sha256>,
    /// The change queued for it, or the one waiting that covers it; none where the index stood so already.
    pub change: Option<ChangeId>,
}

/// A submission that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionRecord {
    /// Its number.
    pub id: SubmissionId,
    /// Name of the token it came with.
    pub sender: String,
    /// When it was accepted.
    pub accepted: DateTime<Utc>,
    /// What it came to.
    pub entries: Vec<Entry>,
}

/// A submission decided, for the state to queue: each entry with its change, unless there is nothing to do.
#[derive(Clone, Debug)]
pub struct DecidedSubmission {
    /// Whose it is.
    pub sender: Sender,
    /// What it comes to.
    pub entries: Vec<(Entry, Option<Change>)>,
}

/// What the state made of a submission.
#[derive(Debug)]
pub enum Queueing {
    /// It is queued.
    New(SubmissionRecord),
    /// Its key was used before, for a request of this digest; nothing was queued.
    Known(Sha256, SubmissionRecord),
    /// Another process took a name or a request a moment ago; nothing of it was queued.
    Lost(RepositoryError),
}

/// Why nothing of a submission was taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// What it asks for cannot be done.
    #[error("`{subject}` {why}")]
    Refused {
        /// The file or project.
        subject: String,
        /// Why.
        #[source]
        why: IntakeError,
    },
    /// A transaction that cannot be taken in.
    #[error(transparent)]
    Transaction(#[from] ReceiveError),
    /// The key stands for another request.
    #[error("idempotency key `{key}` was used for another request")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// Another process was faster.
    #[error(transparent)]
    Lost(RepositoryError),
}

/// What became of one submission.
pub type SubmissionAnswer = Result<SubmissionRecord, SubmissionError>;
