//! A store and a state that let a number of writes through and then fail: a process that dies.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use countersign_repository::{
    Change, ChangeId, ClaimRecord, DecidedSubmission, FileRecord, HeadRecord, History, OfflineFile,
    OfflineSet, Parts, Publication, Queued, Queueing, Repository, RepositoryError, RoleRecord,
    Settings, Staged, State, Store, StoreError, StorePath, SubmissionId, SubmissionRecord,
    UploadPlace, WithRows, rows::Mark,
};
use index::ProjectName;
use metadata::{Role, Sha256, TargetPath, Version};

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failure {
    /// It does not happen.
    Lost,
    /// It happens and is reported failed.
    Reported,
}

/// Lets a number of writes through, fails one, and then all: the process is dead. Or, before one write,
/// does something to the world around, and lets all go on.
#[derive(Clone)]
pub struct Fuse(Arc<Mutex<Burning>>);

struct Burning {
    left: usize,
    failure: Failure,
    act: Option<Box<dyn FnOnce() + Send>>,
    acted: bool,
}

impl Fuse {
    pub fn new(writes: usize, failure: Failure) -> Self {
        Self(Arc::new(Mutex::new(Burning {
            left: writes,
            failure,
            act: None,
            acted: false,
        })))
    }

    /// Calls `act` before the write after `writes` others.
    pub fn acting(writes: usize, act: impl FnOnce() + Send + 'static) -> Self {
        let fuse = Self::new(writes, Failure::Lost);
        fuse.0.lock().unwrap().act = Some(Box::new(act));
        fuse
    }

    /// What becomes of the next write: `None` lets it through.
    fn burn(&self) -> Option<Failure> {
        let mut inner = self.0.lock().unwrap();
        if inner.left > 0 {
            inner.left -= 1;
            return None;
        }
        if let Some(act) = inner.act.take() {
            inner.acted = true;
            drop(inner);
            act();
            return None;
        }
        if inner.acted {
            return None;
        }
        Some(std::mem::replace(&mut inner.failure, Failure::Lost))
    }

    /// Whether it acted.
    pub fn acted(&self) -> bool {
        self.0.lock().unwrap().acted
    }

    pub fn blew(&self) -> bool {
        self.0.lock().unwrap().left == 0
    }
}

struct FailingStore {
    inner: Box<dyn Store>,
    fuse: Fuse,
}

impl FailingStore {
    fn run(
        &mut self,
        write: impl FnOnce(&mut dyn Store) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self.fuse.burn() {
            None => write(self.inner.as_mut()),
            Some(failure) => {
                if failure == Failure::Reported {
                    write(self.inner.as_mut())?;
                }
                let path = StorePath::parse("fuse").unwrap();
                let source = io::Error::other("the fuse blew");
                Err(StoreError::Io {
                    doing: "write",
                    path,
                    source,
                })
            }
        }
    }
}

impl Store for FailingStore {
    fn put_new(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        self.run(|store| store.put_new(path, bytes))
    }
    fn put_new_upload(&mut self, path: &StorePath, upload: &UploadPlace) -> Result<(), StoreError> {
        self.run(|store| store.put_new_upload(path, upload))
    }
    fn replace_by_upload(
        &mut self,
        path: &StorePath,
        upload: &UploadPlace,
    ) -> Result<(), StoreError> {
        self.run(|store| store.replace_by_upload(path, upload))
    }
    fn relink(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        self.run(|store| store.relink(existing, path))
    }
    fn link(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        self.run(|store| store.link(existing, path))
    }
    fn put_pointer(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        self.run(|store| store.put_pointer(path, bytes))
    }
    fn flush(&mut self) -> Result<(), StoreError> {
        self.run(|store| store.flush())
    }
    fn begin_pointers(&mut self) -> Result<(), StoreError> {
        self.inner.begin_pointers()
    }
    fn end_pointers(&mut self) {
        self.inner.end_pointers();
    }
    fn place(&self) -> Option<String> {
        self.inner.place()
    }
    fn folder(&self) -> Option<&Path> {
        self.inner.folder()
    }
    fn get(&self, path: &StorePath, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(path, limit)
    }
    fn list(&self) -> Result<Vec<StorePath>, StoreError> {
        self.inner.list()
    }
    fn remove(&mut self, path: &StorePath) -> Result<(), StoreError> {
        self.run(|store| store.remove(path))
    }
}

struct FailingState {
    inner: Box<dyn State>,
    fuse: Fuse,
}

type Outcome<T> = Result<T, RepositoryError>;

impl FailingState {
    fn run(&mut self, write: impl FnOnce(&mut dyn State) -> Outcome<()>) -> Outcome<()> {
        match self.fuse.burn() {
            None => write(self.inner.as_mut()),
            Some(failure) => {
                if failure == Failure::Reported {
                    write(self.inner.as_mut())?;
                }
                Err(RepositoryError::Damaged {
                    what: "the fuse".to_owned(),
                })
            }
        }
    }
}

impl State for FailingState {
    fn check_writer(&self) -> Outcome<()> {
        self.inner.check_writer()
    }
    fn check_place(&self) -> Outcome<()> {
        self.inner.check_place()
    }
    fn stores_left(&self) -> Outcome<Vec<String>> {
        self.inner.stores_left()
    }
    fn leave_stores(&mut self, places: &[String]) -> Outcome<()> {
        self.inner.leave_stores(places)
    }
    fn leave(&mut self, to: &Mark, carry: WithRows<'_>) -> Outcome<()> {
        self.inner.leave(to, carry)
    }
    fn settings(&self) -> Outcome<Settings> {
        self.inner.settings()
    }
    fn head(&self) -> Outcome<HeadRecord> {
        self.inner.head()
    }
    fn roles(&self) -> Outcome<Vec<RoleRecord>> {
        self.inner.roles()
    }
    fn allocated(&self) -> Outcome<BTreeMap<Role, Version>> {
        self.inner.allocated()
    }
    fn enqueue(&mut self, changes: &[Change], now: DateTime<Utc>) -> Outcome<Vec<ChangeId>> {
        self.inner.enqueue(changes, now)
    }
    fn submit(
        &mut self,
        submissions: &[DecidedSubmission],
        now: DateTime<Utc>,
    ) -> Outcome<Vec<Queueing>> {
        self.inner.submit(submissions, now)
    }
    fn submission(&self, id: SubmissionId) -> Outcome<Option<SubmissionRecord>> {
        self.inner.submission(id)
    }
    fn submission_under(
        &self,
        sender: &str,
        key: &str,
    ) -> Outcome<Option<(Sha256, SubmissionRecord)>> {
        self.inner.submission_under(sender, key)
    }
    fn pending(&self) -> Outcome<Vec<Queued>> {
        self.inner.pending()
    }
    fn pending_of(&self, project: &ProjectName) -> Outcome<Vec<Queued>> {
        self.inner.pending_of(project)
    }
    fn pending_count(&self) -> Outcome<u64> {
        self.inner.pending_count()
    }
    fn answers(
        &self,
        ids: &[ChangeId],
    ) -> Outcome<(Vec<(ChangeId, countersign_repository::Outcome)>, bool)> {
        self.inner.answers(ids)
    }
    fn some_projects(&self, skip: u64, limit: u64) -> Outcome<Vec<ProjectName>> {
        self.inner.some_projects(skip, limit)
    }
    fn project_count(&self) -> Outcome<u64> {
        self.inner.project_count()
    }
    fn target(&self, bin: u16, path: &TargetPath) -> Outcome<Option<(u64, Sha256)>> {
        self.inner.target(bin, path)
    }
    fn publications(&self, limit: u64) -> Outcome<Vec<Publication>> {
        self.inner.publications(limit)
    }
    fn settle(
        &mut self,
        outcomes: &[(ChangeId, countersign_repository::Outcome)],
        claims: &[(ProjectName, Option<ClaimRecord>)],
    ) -> Outcome<()> {
        self.run(|state| state.settle(outcomes, claims))
    }
    fn claim(&self, project: &ProjectName) -> Outcome<Option<ClaimRecord>> {
        self.inner.claim(project)
    }
    fn claims(&self) -> Outcome<BTreeMap<ProjectName, ClaimRecord>> {
        self.inner.claims()
    }
    fn is_request_used(&self, request: &Sha256) -> Outcome<bool> {
        self.inner.is_request_used(request)
    }
    fn project_roles(&self, project: &ProjectName) -> Outcome<Vec<RoleRecord>> {
        self.inner.project_roles(project)
    }
    fn withdrawn(&self, project: &ProjectName) -> Outcome<BTreeSet<String>> {
        self.inner.withdrawn(project)
    }
    fn files(&self, project: &ProjectName) -> Outcome<Vec<FileRecord>> {
        self.inner.files(project)
    }
    fn projects(&self) -> Outcome<Vec<ProjectName>> {
        self.inner.projects()
    }
    fn digest_of_name(&self, filename: &str) -> Outcome<Option<Sha256>> {
        self.inner.digest_of_name(filename)
    }
    fn bin_targets(&self, bin: u16) -> Outcome<Vec<(TargetPath, u64, Sha256)>> {
        self.inner.bin_targets(bin)
    }
    fn target_count(&self) -> Outcome<u64> {
        self.inner.target_count()
    }
    fn enqueue_set(
        &mut self,
        files: &[OfflineFile],
        changes: &[Change],
        now: DateTime<Utc>,
    ) -> Outcome<i64> {
        let mut id = 0;
        self.run(|state| {
            id = state.enqueue_set(files, changes, now)?;
            Ok(())
        })?;
        Ok(id)
    }
    fn waiting_sets(&self) -> Outcome<Vec<OfflineSet>> {
        self.inner.waiting_sets()
    }
    fn drop_set(&mut self, id: i64) -> Outcome<()> {
        self.inner.drop_set(id)
    }
    fn stage(&mut self, staged: &Staged) -> Outcome<()> {
        self.run(|state| state.stage(staged))
    }
    fn staged(&self) -> Outcome<Option<(Staged, bool)>> {
        self.inner.staged()
    }
    fn move_head(&mut self, staged: &Staged) -> Outcome<()> {
        self.run(|state| state.move_head(staged))
    }
    fn clear_staged(&mut self) -> Outcome<()> {
        self.run(|state| state.clear_staged())
    }
    fn give_up(
        &mut self,
        versions: &BTreeMap<Role, Version>,
        until: Option<DateTime<Utc>>,
    ) -> Outcome<()> {
        self.run(|state| state.give_up(versions, until))
    }
    fn history(&self) -> Outcome<History> {
        self.inner.history()
    }
    fn forget(&mut self, paths: &[StorePath], expired: DateTime<Utc>) -> Outcome<()> {
        self.run(|state| state.forget(paths, expired))
    }
}

/// The repository of a folder, whose writes burn the fuse.
pub fn failing(folder: &Path, fuse: &Fuse) -> Repository {
    failing_parts(Parts::of_folder(folder).unwrap(), fuse)
}

/// The same of any parts.
pub fn failing_parts(parts: Parts, fuse: &Fuse) -> Repository {
    Repository::assemble(Parts {
        state: Box::new(FailingState {
            inner: parts.state,
            fuse: fuse.clone(),
        }),
        store: Box::new(FailingStore {
            inner: parts.store,
            fuse: fuse.clone(),
        }),
        ..parts
    })
    .unwrap()
}
