//! The state in an embedded SQLite database: one machine, one writer.

mod answers;
mod carry;
mod claims;
mod history;
mod journal;
mod read;
mod rebin;
mod schema;
mod submissions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use index::ProjectName;
use metadata::{Role, Sha256, TargetPath, Version};
use rusqlite::{Connection, OptionalExtension, params};

use crate::carry::WithRows;
use crate::change::{Change, ChangeId, Outcome, Queued};
use crate::claim_record::ClaimRecord;
use crate::error::RepositoryError;
use crate::history::History;
use crate::offline_set::{OfflineFile, OfflineSet};
use crate::record::{FileRecord, Publication, RoleRecord, Settings, Staged};
use crate::rows::{self, Mark, damaged, to_time};
use crate::state::{HeadRecord, State};
use crate::store::StorePath;
use crate::submission::{DecidedSubmission, Queueing, SubmissionId, SubmissionRecord};

pub use carry::SqliteArrival;

/// A [`State`] in one SQLite file. Commits are synced in full: what is acknowledged survives a loss of
/// power.
pub struct SqliteState {
    db: Connection,
}

impl SqliteState {
    /// Makes a new database; fails if there is one.
    pub fn create(path: &Path, settings: &Settings) -> Result<Self, RepositoryError> {
        if path.exists() {
            return Err(RepositoryError::Exists {
                path: path.to_owned(),
            });
        }
        let mut db = schema::open(path)?;
        schema::create(&mut db, settings, |_| Ok(()))?;
        Ok(Self { db })
    }

    /// Opens an existing database.
    pub fn open(path: &Path) -> Result<Self, RepositoryError> {
        if !path.exists() {
            return Err(RepositoryError::Missing {
                path: path.to_owned(),
            });
        }
        let db = schema::open(path)?;
        schema::check_version(&db)?;
        carry::check_place(&db)?;
        Ok(Self { db })
    }

    /// Brings an older database to this program's schema; says which version it had.
    pub fn upgrade(path: &Path) -> Result<i64, RepositoryError> {
        if !path.exists() {
            return Err(RepositoryError::Missing {
                path: path.to_owned(),
            });
        }
        schema::upgrade(&mut schema::open(path)?)
    }
}

fn failed(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> RepositoryError {
    move |source| {
        carry::moved(&source).unwrap_or_else(|| RepositoryError::State {
            doing,
            source: source.into(),
        })
    }
}

impl State for SqliteState {
    fn check_place(&self) -> Result<(), RepositoryError> {
        carry::check_place(&self.db)
    }

    fn stores_left(&self) -> Result<Vec<String>, RepositoryError> {
        rows::read_stores_left(carry::setting(&self.db, rows::STORES_LEFT)?.as_deref())
    }

    fn leave_stores(&mut self, places: &[String]) -> Result<(), RepositoryError> {
        carry::leave_stores(&mut self.db, places)
    }

    fn leave(&mut self, to: &Mark, carry: WithRows<'_>) -> Result<(), RepositoryError> {
        carry::leave(&mut self.db, to, carry)
    }

    fn settings(&self) -> Result<Settings, RepositoryError> {
        rows::read_settings(|name| {
            self.db
                .query_row(
                    "SELECT value FROM settings WHERE name = ?1",
                    [name],
                    |row| row.get(0),
                )
                .ok()
        })
    }

    fn head(&self) -> Result<HeadRecord, RepositoryError> {
        let (generation, signed, timestamp): (i64, Option<i64>, Option<Vec<u8>>) = self
            .db
            .query_row(
                "SELECT generation, signed, timestamp FROM head",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .map_err(failed("reading the head"))?;
        Ok(HeadRecord {
            generation: rows::unsigned(generation, "the head")?,
            signed: signed
                .map(|seconds| to_time(seconds, "the head"))
                .transpose()?,
            timestamp,
        })
    }

    fn roles(&self) -> Result<Vec<RoleRecord>, RepositoryError> {
        read::roles(&self.db)
    }

    fn allocated(&self) -> Result<BTreeMap<Role, Version>, RepositoryError> {
        read::allocated(&self.db)
    }

    fn enqueue(
        &mut self,
        changes: &[Change],
        now: DateTime<Utc>,
    ) -> Result<Vec<ChangeId>, RepositoryError> {
        journal::enqueue(&mut self.db, changes, now)
    }

    fn submit(
        &mut self,
        submissions: &[DecidedSubmission],
        now: DateTime<Utc>,
    ) -> Result<Vec<Queueing>, RepositoryError> {
        submissions::submit(&mut self.db, submissions, now)
    }

    fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionRecord>, RepositoryError> {
        submissions::submission(&self.db, id)
    }

    fn submission_under(
        &self,
        sender: &str,
        key: &str,
    ) -> Result<Option<(Sha256, SubmissionRecord)>, RepositoryError> {
        submissions::under(&self.db, sender, key)
    }

    fn pending(&self) -> Result<Vec<Queued>, RepositoryError> {
        read::pending(&self.db)
    }

    fn pending_of(&self, project: &ProjectName) -> Result<Vec<Queued>, RepositoryError> {
        read::pending_of(&self.db, project)
    }

    fn pending_count(&self) -> Result<u64, RepositoryError> {
        read::pending_count(&self.db)
    }

    fn answers(
        &self,
        ids: &[ChangeId],
    ) -> Result<(Vec<(ChangeId, Outcome)>, bool), RepositoryError> {
        answers::answers(&self.db, ids)
    }

    fn settle(
        &mut self,
        outcomes: &[(ChangeId, Outcome)],
        claims: &[(ProjectName, Option<ClaimRecord>)],
    ) -> Result<(), RepositoryError> {
        journal::settle(&mut self.db, outcomes, claims)
    }

    fn claim(&self, project: &ProjectName) -> Result<Option<ClaimRecord>, RepositoryError> {
        claims::claim(&self.db, project)
    }

    fn claims(&self) -> Result<BTreeMap<ProjectName, ClaimRecord>, RepositoryError> {
        claims::claims(&self.db)
    }

    fn is_request_used(&self, request: &Sha256) -> Result<bool, RepositoryError> {
        claims::is_used(&self.db, request)
    }

    fn project_roles(&self, project: &ProjectName) -> Result<Vec<RoleRecord>, RepositoryError> {
        claims::project_roles(&self.db, project)
    }

    fn withdrawn(&self, project: &ProjectName) -> Result<BTreeSet<String>, RepositoryError> {
        claims::withdrawn(&self.db, project)
    }

    fn files(&self, project: &ProjectName) -> Result<Vec<FileRecord>, RepositoryError> {
        read::files(&self.db, project)
    }

    fn some_projects(&self, skip: u64, limit: u64) -> Result<Vec<ProjectName>, RepositoryError> {
        read::some_projects(&self.db, skip, limit)
    }

    fn project_count(&self) -> Result<u64, RepositoryError> {
        read::count(&self.db, "projects")
    }

    fn target(
        &self,
        bin: u16,
        path: &TargetPath,
    ) -> Result<Option<(u64, Sha256)>, RepositoryError> {
        read::target(&self.db, bin, path)
    }

    fn publications(&self, limit: u64) -> Result<Vec<Publication>, RepositoryError> {
        answers::publications(&self.db, limit)
    }

    fn projects(&self) -> Result<Vec<ProjectName>, RepositoryError> {
        read::projects(&self.db)
    }

    fn digest_of_name(&self, filename: &str) -> Result<Option<Sha256>, RepositoryError> {
        let text: Option<String> = self
            .db
            .query_row(
                "SELECT sha256 FROM names WHERE filename = ?1",
                [filename],
                |row| row.get(0),
            )
            .optional()
            .map_err(failed("looking up a file name"))?;
        text.map(|text| Sha256::parse(&text).map_err(|_| damaged(filename)))
            .transpose()
    }

    fn bin_targets(&self, bin: u16) -> Result<Vec<(TargetPath, u64, Sha256)>, RepositoryError> {
        read::bin_targets(&self.db, bin)
    }

    fn target_count(&self) -> Result<u64, RepositoryError> {
        read::count(&self.db, "targets")
    }

    fn enqueue_set(
        &mut self,
        files: &[OfflineFile],
        changes: &[Change],
        now: DateTime<Utc>,
    ) -> Result<i64, RepositoryError> {
        journal::enqueue_set(&mut self.db, files, changes, now)
    }

    fn waiting_sets(&self) -> Result<Vec<OfflineSet>, RepositoryError> {
        read::waiting_sets(&self.db)
    }

    fn drop_set(&mut self, id: i64) -> Result<(), RepositoryError> {
        self.db
            .execute(
                "UPDATE sets SET state = 'refused' WHERE id = ?1",
                params![id],
            )
            .map(drop)
            .map_err(failed("refusing a set"))
    }

    fn stage(&mut self, staged: &Staged) -> Result<(), RepositoryError> {
        journal::stage(&mut self.db, staged)
    }

    fn staged(&self) -> Result<Option<(Staged, bool)>, RepositoryError> {
        read::staged(&self.db)
    }

    fn move_head(&mut self, staged: &Staged) -> Result<(), RepositoryError> {
        journal::move_head(&mut self.db, staged)
    }

    fn clear_staged(&mut self) -> Result<(), RepositoryError> {
        journal::clear_staged(&mut self.db)
    }

    fn give_up(
        &mut self,
        versions: &BTreeMap<Role, Version>,
        until: Option<DateTime<Utc>>,
    ) -> Result<(), RepositoryError> {
        journal::give_up(&mut self.db, versions, until)
    }

    fn history(&self) -> Result<History, RepositoryError> {
        history::read(&self.db)
    }

    fn forget(
        &mut self,
        paths: &[StorePath],
        expired: DateTime<Utc>,
    ) -> Result<(), RepositoryError> {
        history::forget(&mut self.db, paths, expired)
    }
}
