//! A repository on disk: state, store, intake folder and the lock that makes its writer one.

use std::fs::{self, File, TryLockError};
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

/// A repository: `state.sqlite`, `repository/` (what is served), `incoming/`, `lock`.
pub struct Repository {
    pub(crate) folder: PathBuf,
    pub(crate) state: Box<dyn State>,
    pub(crate) store: Box<dyn Store>,
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
    /// Makes an empty repository in a folder that holds none.
    pub fn init(folder: &Path, settings: &Settings) -> Result<Self, RepositoryError> {
        let make = |path: PathBuf| {
            fs::create_dir_all(&path).map_err(|source| RepositoryError::Io {
                doing: "make",
                path,
                source,
            })
        };
        make(folder.join(INCOMING))?;
        make(folder.join(STORE))?;
        SqliteState::create(&folder.join(STATE), settings)?;
        Self::open(folder)
    }

    /// Opens a repository.
    pub fn open(folder: &Path) -> Result<Self, RepositoryError> {
        let state = SqliteState::open(&folder.join(STATE)).map_err(|error| match error {
            RepositoryError::Missing { .. } => RepositoryError::Missing {
                path: folder.to_owned(),
            },
            other => other,
        })?;
        let path = folder.join(STORE);
        let store = LocalStore::open(&path).map_err(|source| RepositoryError::Io {
            doing: "open",
            path,
            source,
        })?;
        Self::assemble(folder, Box::new(state), Box::new(store))
    }

    /// Brings the repository of an older program to this one's schema; says which version it had. The
    /// old program cannot open it any more.
    pub fn upgrade(folder: &Path) -> Result<i64, RepositoryError> {
        SqliteState::upgrade(&folder.join(STATE))
    }

    /// A repository of any state and store, for example ones that fail on purpose.
    pub fn assemble(
        folder: &Path,
        state: Box<dyn State>,
        store: Box<dyn Store>,
    ) -> Result<Self, RepositoryError> {
        let settings = state.settings()?;
        Ok(Self {
            folder: folder.to_owned(),
            state,
            store,
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

    /// The folder that is served.
    #[must_use]
    pub fn store_folder(&self) -> PathBuf {
        self.folder.join(STORE)
    }

    pub(crate) fn incoming(&self) -> PathBuf {
        self.folder.join(INCOMING)
    }

    /// Becomes the one writer, until the lock is dropped; the system drops it with the process.
    pub(crate) fn lock(&self) -> Result<File, RepositoryError> {
        let path = self.folder.join(LOCK);
        let failed = |source| RepositoryError::Io {
            doing: "lock",
            path: path.clone(),
            source,
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(RepositoryError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
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

/// Where a file taken in lies until it is published.
pub(crate) fn incoming_path(incoming: &Path, digest: &Sha256) -> PathBuf {
    incoming.join(digest.to_string())
}

const STATE: &str = "state.sqlite";
const STORE: &str = "repository";
const INCOMING: &str = "incoming";
const LOCK: &str = "lock";
