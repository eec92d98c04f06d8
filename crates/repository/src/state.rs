//! What the signer must not lose. Trusted.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use index::ProjectName;
use metadata::{Role, Sha256, TargetPath, Version};

use crate::carry::WithRows;
use crate::change::{Change, ChangeId, Outcome, Queued};
use crate::claim_record::ClaimRecord;
use crate::error::RepositoryError;
use crate::history::History;
use crate::offline_set::{OfflineFile, OfflineSet};
use crate::record::{FileRecord, Publication, RoleRecord, Settings, Staged};
use crate::rows::Mark;
use crate::store::StorePath;
use crate::submission::{DecidedSubmission, Queueing, SubmissionId, SubmissionRecord};

/// The targets of a bin, in path order: path, length, digest.
pub type BinTargets = Vec<(TargetPath, u64, Sha256)>;

/// The head: what is published, as far as one line can say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadRecord {
    /// Grows by one with every publication.
    pub generation: u64,
    /// When the last signature was made.
    pub signed: Option<DateTime<Utc>>,
    /// The published `timestamp.json`, to put it again after a crash.
    pub timestamp: Option<Vec<u8>>,
}

/// Journal, head and registrations. Every method is one transaction: it happens whole or not at all,
/// and what it acknowledged survives a loss of power.
pub trait State: Send {
    /// Whether this process is the one writer still. Where the writer is one by a lease, another may
    /// have taken its place unawares; every method that belongs to a cycle checks that by itself, in its
    /// transaction: `settle`, `drop_set`, `stage`, `move_head`, `clear_staged`, `give_up`, `forget`.
    fn check_writer(&self) -> Result<(), RepositoryError> {
        Ok(())
    }

    /// Whether this is the state still: it may have been moved since it was opened.
    fn check_place(&self) -> Result<(), RepositoryError>;

    /// The stores that are not published to any more, in words.
    fn stores_left(&self) -> Result<Vec<String>, RepositoryError>;

    /// Says which they are from now on.
    fn leave_stores(&mut self, places: &[String]) -> Result<(), RepositoryError>;

    /// Keeps everybody else from writing, has `carry` copy all rows, and marks this state as moved if that
    /// went well, in one transaction: from then on every write to it is refused.
    fn leave(&mut self, to: &Mark, carry: WithRows<'_>) -> Result<(), RepositoryError>;

    /// What was fixed when the repository was made.
    fn settings(&self) -> Result<Settings, RepositoryError>;

    /// The head.
    fn head(&self) -> Result<HeadRecord, RepositoryError>;

    /// All published roles.
    fn roles(&self) -> Result<Vec<RoleRecord>, RepositoryError>;

    /// The highest version ever given to each role, published or burned.
    fn allocated(&self) -> Result<BTreeMap<Role, Version>, RepositoryError>;

    /// Queues changes, all or none, and returns their numbers.
    fn enqueue(
        &mut self,
        changes: &[Change],
        now: DateTime<Utc>,
    ) -> Result<Vec<ChangeId>, RepositoryError>;

    /// Queues submissions in order, each with the changes it comes to, and keeps the answers for ever:
    /// all in one transaction, but each whole or not at all.
    fn submit(
        &mut self,
        submissions: &[DecidedSubmission],
        now: DateTime<Utc>,
    ) -> Result<Vec<Queueing>, RepositoryError>;

    /// A submission that was accepted.
    fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionRecord>, RepositoryError>;

    /// The submission that a sender made under an idempotency key, with the digest of its request.
    fn submission_under(
        &self,
        sender: &str,
        key: &str,
    ) -> Result<Option<(Sha256, SubmissionRecord)>, RepositoryError>;

    /// Changes not yet published, in the order accepted.
    fn pending(&self) -> Result<Vec<Queued>, RepositoryError>;

    /// Those of them that are about one project.
    fn pending_of(&self, project: &ProjectName) -> Result<Vec<Queued>, RepositoryError>;

    /// How many there are.
    fn pending_count(&self) -> Result<u64, RepositoryError>;

    /// What became of these changes, as far as they are decided; and whether the head has moved to work
    /// that is not published whole, so that no timestamp covers them yet.
    fn answers(
        &self,
        ids: &[ChangeId],
    ) -> Result<(Vec<(ChangeId, Outcome)>, bool), RepositoryError>;

    /// Records what became of changes that needed no publication, and the claims they come to.
    fn settle(
        &mut self,
        outcomes: &[(ChangeId, Outcome)],
        claims: &[(ProjectName, Option<ClaimRecord>)],
    ) -> Result<(), RepositoryError>;

    /// The claim of a project.
    fn claim(&self, project: &ProjectName) -> Result<Option<ClaimRecord>, RepositoryError>;

    /// Every claim.
    fn claims(&self) -> Result<BTreeMap<ProjectName, ClaimRecord>, RepositoryError>;

    /// Whether a claim's request was taken before; none is taken twice.
    fn is_request_used(&self, request: &Sha256) -> Result<bool, RepositoryError>;

    /// The last version of every role that a project ever had.
    fn project_roles(&self, project: &ProjectName) -> Result<Vec<RoleRecord>, RepositoryError>;

    /// The names of all files that a project's developers gave up.
    fn withdrawn(&self, project: &ProjectName) -> Result<BTreeSet<String>, RepositoryError>;

    /// The files of a project.
    fn files(&self, project: &ProjectName) -> Result<Vec<FileRecord>, RepositoryError>;

    /// The files of several projects; those that have none may be left out. A state behind a network
    /// reads them at once.
    fn files_of(
        &self,
        projects: &[&ProjectName],
    ) -> Result<BTreeMap<ProjectName, Vec<FileRecord>>, RepositoryError> {
        let read = |project: &&ProjectName| Ok(((*project).clone(), self.files(project)?));
        projects.iter().map(read).collect()
    }

    /// At most `limit` projects that have or had files, in order, after the first `skip`.
    fn some_projects(&self, skip: u64, limit: u64) -> Result<Vec<ProjectName>, RepositoryError>;

    /// How many projects have or had files.
    fn project_count(&self) -> Result<u64, RepositoryError>;

    /// The target of this path in a bin.
    fn target(&self, bin: u16, path: &TargetPath)
    -> Result<Option<(u64, Sha256)>, RepositoryError>;

    /// Several targets of bins, as far as they are there, likewise.
    fn targets_at(
        &self,
        places: &[(u16, &TargetPath)],
    ) -> Result<BTreeMap<TargetPath, (u64, Sha256)>, RepositoryError> {
        let mut found = BTreeMap::new();
        for (bin, path) in places {
            if let Some(target) = self.target(*bin, path)? {
                found.insert((*path).clone(), target);
            }
        }
        Ok(found)
    }

    /// The last publications, newest first.
    fn publications(&self, limit: u64) -> Result<Vec<Publication>, RepositoryError>;

    /// All projects that have or had files.
    fn projects(&self) -> Result<Vec<ProjectName>, RepositoryError>;

    /// The digest first published, or queued, under a file name, even if it was removed since.
    fn digest_of_name(&self, filename: &str) -> Result<Option<Sha256>, RepositoryError>;

    /// The targets of a bin, in path order.
    fn bin_targets(&self, bin: u16) -> Result<Vec<(TargetPath, u64, Sha256)>, RepositoryError>;

    /// The targets of several bins, likewise.
    fn bins_targets(&self, bins: &[u16]) -> Result<BTreeMap<u16, BinTargets>, RepositoryError> {
        let read = |bin: &u16| Ok((*bin, self.bin_targets(*bin)?));
        bins.iter().map(read).collect()
    }

    /// How many targets there are.
    fn target_count(&self) -> Result<u64, RepositoryError>;

    /// Keeps a set of offline-signed roles for the next cycle, and in the same transaction queues the changes
    /// that belong to it.
    fn enqueue_set(
        &mut self,
        files: &[OfflineFile],
        changes: &[Change],
        now: DateTime<Utc>,
    ) -> Result<i64, RepositoryError>;

    /// Sets not yet published, oldest first.
    fn waiting_sets(&self) -> Result<Vec<OfflineSet>, RepositoryError>;

    /// Marks a waiting set as refused, so that it does not stand in the way.
    fn drop_set(&mut self, id: i64) -> Result<(), RepositoryError>;

    /// Journals a cycle's work, exact bytes included, and gives its versions out for good.
    fn stage(&mut self, staged: &Staged) -> Result<(), RepositoryError>;

    /// The work journalled and not finished, and whether the head has moved to it.
    fn staged(&self) -> Result<Option<(Staged, bool)>, RepositoryError>;

    /// Moves the head to the journalled work, if the head still is where that work started from
    /// (compare-and-swap): the commit point.
    fn move_head(&mut self, staged: &Staged) -> Result<(), RepositoryError>;

    /// Forgets journalled work: because it is published whole, or because its numbers are burned.
    fn clear_staged(&mut self) -> Result<(), RepositoryError>;

    /// Gives versions up for good: none of them, nor one below, is given out again. With `until`,
    /// objects that the history does not know may be named until then.
    fn give_up(
        &mut self,
        versions: &BTreeMap<Role, Version>,
        until: Option<DateTime<Utc>>,
    ) -> Result<(), RepositoryError>;

    /// Which objects are, or can still be, named by a published timestamp.
    fn history(&self) -> Result<History, RepositoryError>;

    /// Forgets replaced objects that were deleted, and timestamps that expired before `expired`.
    fn forget(
        &mut self,
        paths: &[StorePath],
        expired: DateTime<Utc>,
    ) -> Result<(), RepositoryError>;
}
