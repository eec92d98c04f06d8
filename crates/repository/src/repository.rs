//! A repository: state, store, uploads and the lock that makes its writer one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metadata::Sha256;
use trust::{Dialect, Rules};

use crate::change::{Answer, ChangeId};
use crate::error::RepositoryError;
use crate::local_store::LocalStore;
use crate::record::Settings;
use crate::sqlite::SqliteState;
use crate::state::State;
use crate::store::Store;
use crate::uploads::{UploadFolder, Uploads};
use crate::writer_lock::{HeldLock, LockFile, WriterLock};

/// What a repository is put together from, each where its operator wants it.
pub struct Parts {
    /// What must not be lost. Trusted.
    pub state: Box<dyn State>,
    /// What clients fetch. Not trusted.
    pub store: Box<dyn Store>,
    /// Files taken in and not published yet.
    pub uploads: Box<dyn Uploads>,
    /// What makes the writer one.
    pub lock: Box<dyn WriterLock>,
}

impl Parts {
    /// The state of a repository that is a folder.
    pub const STATE: &str = "state.sqlite";
    /// Its store.
    pub const STORE: &str = "repository";
    /// Its uploads.
    pub const UPLOADS: &str = "incoming";
    /// The lock of its writer.
    pub const LOCK: &str = "lock";

    /// The parts of a repository that is one folder: `state.sqlite`, `repository/` (what is served),
    /// `incoming/`, `lock`.
    pub fn of_folder(folder: &Path) -> Result<Self, RepositoryError> {
        let state = SqliteState::open(&folder.join(Parts::STATE)).map_err(|error| match error {
            RepositoryError::Missing { .. } => RepositoryError::Missing {
                path: folder.to_owned(),
            },
            other => other,
        })?;
        Ok(Self {
            state: Box::new(state),
            store: Box::new(
                LocalStore::open(folder.join(Parts::STORE)).map_err(open(folder, Parts::STORE))?,
            ),
            uploads: Box::new(
                UploadFolder::open(folder.join(Parts::UPLOADS))
                    .map_err(open(folder, Parts::UPLOADS))?,
            ),
            lock: Box::new(LockFile::at(folder.join(Parts::LOCK))),
        })
    }
}

fn open(folder: &Path, name: &str) -> impl FnOnce(std::io::Error) -> RepositoryError {
    let path = folder.join(name);
    move |source| RepositoryError::Io {
        doing: "open",
        path,
        source,
    }
}

/// A repository.
pub struct Repository {
    pub(crate) state: Box<dyn State>,
    pub(crate) store: Box<dyn Store>,
    pub(crate) uploads: Box<dyn Uploads>,
    lock: Box<dyn WriterLock>,
    pub(crate) settings: Settings,
    /// The generation of the head that the settings are of.
    pub(crate) seen: u64,
    pub(crate) watch: Option<Watch>,
}

/// A part of the work that can take long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Distribution files are read and copied.
    Reading,
    /// Bins are signed.
    Signing,
    /// Objects are put into the store.
    Putting,
    /// What was put is made durable.
    Flushing,
}

/// Hears how far a stage is: so many of so many.
pub type Watch = Arc<dyn Fn(Stage, u64, u64) + Send + Sync>;

impl Repository {
    /// Makes an empty repository, all of it in one folder that holds none.
    pub fn init(folder: &Path, settings: &Settings) -> Result<Self, RepositoryError> {
        let make = |path: PathBuf| {
            fs::create_dir_all(&path).map_err(|source| RepositoryError::Io {
                doing: "make",
                path,
                source,
            })
        };
        make(folder.join(Parts::UPLOADS))?;
        make(folder.join(Parts::STORE))?;
        SqliteState::create(&folder.join(Parts::STATE), settings)?;
        Self::open(folder)
    }

    /// Opens a repository that is one folder.
    pub fn open(folder: &Path) -> Result<Self, RepositoryError> {
        Self::assemble(Parts::of_folder(folder)?)
    }

    /// Brings the repository of an older program to this one's schema; says which version it had. The
    /// old program cannot open it any more.
    pub fn upgrade(folder: &Path) -> Result<i64, RepositoryError> {
        SqliteState::upgrade(&folder.join(Parts::STATE))
    }

    /// A repository of any parts, wherever they lie.
    pub fn assemble(parts: Parts) -> Result<Self, RepositoryError> {
        let settings = parts.state.settings()?;
        Ok(Self {
            state: parts.state,
            store: parts.store,
            uploads: parts.uploads,
            lock: parts.lock,
            settings,
            seen: 0,
            watch: None,
        })
    }

    /// Reads the settings again if something was published since: a rebin changes them.
    pub(crate) fn follow_other_processes(&mut self) -> Result<(), RepositoryError> {
        let generation = self.state.head()?.generation;
        if generation != self.seen {
            self.settings = self.state.settings()?;
            self.seen = generation;
        }
        Ok(())
    }

    /// What became of changes that were queued. A published one is decided once the timestamp that
    /// covers it is there for clients.
    pub fn answers(&self, ids: &[ChangeId]) -> Result<Answer, RepositoryError> {
        let (decided, unfinished) = self.state.answers(ids)?;
        Ok(if unfinished || decided.len() < ids.len() {
            Answer::Waiting
        } else {
            Answer::Decided(decided)
        })
    }

    /// Tells `watch` how far long work is.
    pub fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    pub(crate) fn at(&self, stage: Stage, done: u64, total: u64) {
        if let Some(watch) = &self.watch {
            watch(stage, done, total);
        }
    }

    /// What was fixed when the repository was made.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The folder that is served, if it is one.
    #[must_use]
    pub fn store_folder(&self) -> Option<&Path> {
        self.store.folder()
    }

    /// Becomes the one writer, until the lock is dropped; it goes with the process, too.
    pub(crate) fn lock(&self) -> Result<Box<dyn HeldLock>, RepositoryError> {
        let lock = self.lock_to_move()?;
        // Under the lock, so that nobody publishes where an index was until a moment ago.
        match self.store.place() {
            Some(place) if self.state.stores_left()?.contains(&place) => {
                Err(RepositoryError::StoreLeft { place })
            }
            _ => Ok(lock),
        }
    }

    /// The same for a move, which may be given again where it has left the store already.
    pub(crate) fn lock_to_move(&self) -> Result<Box<dyn HeldLock>, RepositoryError> {
        let lock = self.lock.acquire()?;
        self.state.check_place()?;
        Ok(lock)
    }

    /// Whether its state is where it was when this was opened.
    pub fn check_place(&self) -> Result<(), RepositoryError> {
        self.state.check_place()
    }

    /// An upload failed, by its digest.
    pub(crate) fn upload_failed(
        &self,
        doing: &'static str,
        digest: &Sha256,
    ) -> impl FnOnce(std::io::Error) -> RepositoryError {
        let path = self.uploads.name().join(digest.to_string());
        move |source| RepositoryError::Io {
            doing,
            path,
            source,
        }
    }

    /// The place of uploads failed as a whole.
    pub(crate) fn uploads_failed(
        &self,
        doing: &'static str,
    ) -> impl FnOnce(std::io::Error) -> RepositoryError {
        let path = self.uploads.name();
        move |source| RepositoryError::Io {
            doing,
            path,
            source,
        }
    }

    /// The rules our own client goes by, from the policy.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            limits: (&self.settings.policy.client).into(),
            dialect: Dialect::Strict,
        }
    }
}
