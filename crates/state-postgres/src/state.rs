//! The state in PostgreSQL.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use index::ProjectName;
use metadata::{Role, Sha256, TargetPath, Version};
use policy::StateLimits;
use postgres::Transaction;
use postgres::types::Type;
use repository::rows::{self, Mark};
use repository::{
    Change, ChangeId, ClaimRecord, DecidedSubmission, FileRecord, HeadRecord, History, OfflineFile,
    OfflineSet, Outcome, Publication, Queued, Queueing, RepositoryError, RoleRecord, Settings,
    Staged, State, StorePath, SubmissionId, SubmissionRecord, WithRows,
};

use crate::address::Address;
use crate::lease::{Lease, Number, check};
use crate::session::{Fault, Session, run};
use crate::{carry, claims, head, history, journal, read, schema, submissions};

/// A [`State`] in a PostgreSQL database, with one signer by [`Lease`].
pub struct PostgresState {
    session: Arc<Session>,
    /// The number of the lease this process holds.
    number: Number,
}

type Answer<T> = Result<T, RepositoryError>;

impl PostgresState {
    /// Makes the tables in a database that has none of them.
    pub fn create(address: Address, limits: StateLimits, settings: &Settings) -> Answer<Self> {
        let state = Self::new(address, limits);
        schema::create(&state.session, settings)?;
        Ok(state)
    }

    /// Opens the state of a database that has one. The limits are those of its own policy from then on.
    pub fn open(address: Address) -> Answer<Self> {
        let first = Self::new(address, StateLimits::default());
        schema::check_version(&first.session)?;
        first.check_place()?;
        let limits = first.settings()?.policy.state;
        if limits == first.session.limits {
            return Ok(first);
        }
        Ok(Self::new(first.session.address().clone(), limits))
    }

    /// Brings older tables to this program's schema; says which version they had.
    pub fn upgrade(address: Address) -> Answer<i64> {
        schema::upgrade(&Self::new(address, StateLimits::default()).session)
    }

    fn new(address: Address, limits: StateLimits) -> Self {
        Self {
            session: Arc::new(Session::new(address, limits)),
            number: Number::default(),
        }
    }

    /// What makes the writer one: every transaction of a cycle asks for it.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease::new(Arc::clone(&self.session), Arc::clone(&self.number))
    }

    /// A transaction of the writer alone: it fails if the lease went to another, and while it lasts the
    /// lease cannot go to another.
    fn write<T>(
        &self,
        doing: &'static str,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
    ) -> Answer<T> {
        self.session.transact(doing, |transaction| {
            check(transaction, &self.number, true)?;
            work(transaction)
        })
    }
}

impl State for PostgresState {
    fn check_writer(&self) -> Answer<()> {
        self.session.read("asking who is the writer", |client| {
            check(client, &self.number, false)
        })
    }

    fn check_place(&self) -> Answer<()> {
        carry::check_place(&self.session)
    }

    fn stores_left(&self) -> Answer<Vec<String>> {
        rows::read_stores_left(carry::setting(&self.session, rows::STORES_LEFT)?.as_deref())
    }

    fn leave_stores(&mut self, places: &[String]) -> Answer<()> {
        let places = rows::stores_left(places)?;
        self.write("leaving a store", |transaction| {
            carry::set(transaction, rows::STORES_LEFT, &places)
        })
    }

    fn leave(&mut self, to: &Mark, copy: WithRows<'_>) -> Answer<()> {
        let copy = RefCell::new(copy);
        self.session.transact("being left", |transaction| {
            carry::copy_alone(transaction, &copy)?;
            check(transaction, &self.number, true)?;
            carry::mark_moved(transaction, to)
        })
    }

    fn settings(&self) -> Answer<Settings> {
        read::settings(&self.session)
    }

    fn head(&self) -> Answer<HeadRecord> {
        read::head(&self.session)
    }

    fn roles(&self) -> Answer<Vec<RoleRecord>> {
        read::roles(&self.session, "", &[])
    }

    fn allocated(&self) -> Answer<BTreeMap<Role, Version>> {
        read::allocated(&self.session)
    }

    fn enqueue(&mut self, changes: &[Change], now: DateTime<Utc>) -> Answer<Vec<ChangeId>> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let changes: Vec<&Change> = changes.iter().collect();
        self.session.transact("queueing changes", |transaction| {
            journal::enqueue(transaction, &changes, now)
        })
    }

    fn submit(
        &mut self,
        submissions: &[DecidedSubmission],
        now: DateTime<Utc>,
    ) -> Answer<Vec<Queueing>> {
        self.session
            .transact("queueing submissions", |transaction| {
                submissions::submit(transaction, submissions, now)
            })
    }

    fn submission(&self, id: SubmissionId) -> Answer<Option<SubmissionRecord>> {
        submissions::submission(&self.session, id)
    }

    fn submission_under(
        &self,
        sender: &str,
        key: &str,
    ) -> Answer<Option<(Sha256, SubmissionRecord)>> {
        submissions::under(&self.session, sender, key)
    }

    fn pending(&self) -> Answer<Vec<Queued>> {
        read::pending(&self.session, "", &[])
    }

    fn pending_of(&self, project: &ProjectName) -> Answer<Vec<Queued>> {
        let project = project.as_str();
        read::pending(&self.session, "AND project = $1", &[(&project, Type::TEXT)])
    }

    fn pending_count(&self) -> Answer<u64> {
        read::count(&self.session, "changes WHERE outcome IS NULL")
    }

    fn answers(&self, ids: &[ChangeId]) -> Answer<(Vec<(ChangeId, Outcome)>, bool)> {
        read::answers(&self.session, ids)
    }

    fn settle(
        &mut self,
        outcomes: &[(ChangeId, Outcome)],
        registered: &[(ProjectName, Option<ClaimRecord>)],
    ) -> Answer<()> {
        self.write("answering changes", |transaction| {
            claims::write(transaction, registered)?;
            journal::record_outcomes(transaction, outcomes)
        })
    }

    fn claim(&self, project: &ProjectName) -> Answer<Option<ClaimRecord>> {
        claims::claim(&self.session, project)
    }

    fn claims(&self) -> Answer<BTreeMap<ProjectName, ClaimRecord>> {
        claims::claims(&self.session)
    }

    fn is_request_used(&self, request: &Sha256) -> Answer<bool> {
        claims::is_used(&self.session, request)
    }

    fn project_roles(&self, project: &ProjectName) -> Answer<Vec<RoleRecord>> {
        claims::project_roles(&self.session, project)
    }

    fn withdrawn(&self, project: &ProjectName) -> Answer<BTreeSet<String>> {
        claims::withdrawn(&self.session, project)
    }

    fn files(&self, project: &ProjectName) -> Answer<Vec<FileRecord>> {
        let mut found = read::files(&self.session, &[project])?;
        Ok(found.remove(project).unwrap_or_default())
    }

    fn files_of(
        &self,
        projects: &[&ProjectName],
    ) -> Answer<BTreeMap<ProjectName, Vec<FileRecord>>> {
        read::files(&self.session, projects)
    }

    fn some_projects(&self, skip: u64, limit: u64) -> Answer<Vec<ProjectName>> {
        read::projects(&self.session, skip, Some(limit))
    }

    fn project_count(&self) -> Answer<u64> {
        read::count(&self.session, "projects")
    }

    fn target(&self, bin: u16, path: &TargetPath) -> Answer<Option<(u64, Sha256)>> {
        Ok(self.targets_at(&[(bin, path)])?.remove(path))
    }

    fn targets_at(
        &self,
        places: &[(u16, &TargetPath)],
    ) -> Answer<BTreeMap<TargetPath, (u64, Sha256)>> {
        read::targets(&self.session, places)
    }

    fn publications(&self, limit: u64) -> Answer<Vec<Publication>> {
        read::publications(&self.session, limit)
    }

    fn projects(&self) -> Answer<Vec<ProjectName>> {
        read::projects(&self.session, 0, None)
    }

    fn digest_of_name(&self, filename: &str) -> Answer<Option<Sha256>> {
        read::digest_of_name(&self.session, filename)
    }

    fn bin_targets(&self, bin: u16) -> Answer<Vec<(TargetPath, u64, Sha256)>> {
        Ok(self.bins_targets(&[bin])?.remove(&bin).unwrap_or_default())
    }

    fn bins_targets(&self, bins: &[u16]) -> Answer<BTreeMap<u16, Vec<(TargetPath, u64, Sha256)>>> {
        read::bins(&self.session, bins)
    }

    fn target_count(&self) -> Answer<u64> {
        read::count(&self.session, "targets")
    }

    fn enqueue_set(
        &mut self,
        files: &[OfflineFile],
        changes: &[Change],
        now: DateTime<Utc>,
    ) -> Answer<i64> {
        self.session.transact("keeping a set", |transaction| {
            if !changes.is_empty() {
                let changes: Vec<&Change> = changes.iter().collect();
                journal::enqueue(transaction, &changes, now)?;
            }
            journal::enqueue_set(transaction, files, now)
        })
    }

    fn waiting_sets(&self) -> Answer<Vec<OfflineSet>> {
        read::waiting_sets(&self.session)
    }

    fn drop_set(&mut self, id: i64) -> Answer<()> {
        self.write("refusing a set", |transaction| {
            let sql = "UPDATE sets SET state = 'refused' WHERE id = $1";
            run(transaction, sql, &[(&id, Type::INT8)]).map(drop)
        })
    }

    fn stage(&mut self, staged: &Staged) -> Answer<()> {
        self.write("journalling a cycle", |transaction| {
            journal::stage(transaction, staged)
        })
    }

    fn staged(&self) -> Answer<Option<(Staged, bool)>> {
        read::staged(&self.session)
    }

    fn move_head(&mut self, staged: &Staged) -> Answer<()> {
        self.write("moving the head", |transaction| {
            head::move_head(transaction, staged)
        })
    }

    fn clear_staged(&mut self) -> Answer<()> {
        self.write("forgetting journalled work", |transaction| {
            Ok(transaction.batch_execute("DELETE FROM staged; DELETE FROM staged_objects")?)
        })
    }

    fn give_up(
        &mut self,
        versions: &BTreeMap<Role, Version>,
        until: Option<DateTime<Utc>>,
    ) -> Answer<()> {
        self.write("giving versions up", |transaction| {
            journal::give_up(transaction, versions, until)
        })
    }

    fn history(&self) -> Answer<History> {
        history::read(&self.session)
    }

    fn forget(&mut self, paths: &[StorePath], expired: DateTime<Utc>) -> Answer<()> {
        self.write("forgetting swept objects", |transaction| {
            history::forget(transaction, paths, expired)
        })
    }
}
