//! An index with its state in a database of its own and the rest in a folder.

use std::path::Path;
use std::sync::{Arc, Mutex};

use countersign_repository::{LocalStore, Parts, Repository, Settings, UploadFolder};
use countersign_state_postgres::{Address, PostgresState};

use crate::server::{PASSWORD, PostgresServer};
use crate::support::Site;

/// A server, and the databases of the indexes on it by their folders.
#[derive(Clone)]
pub(crate) struct PostgresSite(Arc<Mutex<PostgresServer>>);

impl PostgresSite {
    pub(crate) fn start() -> Self {
        Self(Arc::new(Mutex::new(PostgresServer::start())))
    }

    /// The server, to do something to it.
    pub(crate) fn server(&self) -> std::sync::MutexGuard<'_, PostgresServer> {
        self.0.lock().unwrap()
    }

    pub(crate) fn address(&self, folder: &Path) -> Address {
        let url = self.server().url(&database(folder));
        Address::new(&url, None, Some(PASSWORD.as_bytes())).unwrap()
    }

    /// A connection of the test's own to the database of an index.
    pub(crate) fn client(&self, folder: &Path) -> postgres::Client {
        self.server().connect(&database(folder))
    }

    /// Opens the index as another machine would.
    pub(crate) fn repository(&self, folder: &Path) -> Repository {
        Repository::assemble(self.parts(folder)).unwrap()
    }
}

/// A name that PostgreSQL takes, from one that the system drew.
pub(crate) fn database(folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let letters = name.bytes().map(|byte| format!("{byte:02x}"));
    format!("index_{}", letters.collect::<String>())
}

impl Site for PostgresSite {
    fn init(&self, folder: &Path, settings: &Settings) {
        let _url = self.server().database(&database(folder));
        let limits = settings.policy.state;
        PostgresState::create(self.address(folder), limits, settings).unwrap();
    }

    fn parts(&self, folder: &Path) -> Parts {
        let state = PostgresState::open(self.address(folder)).unwrap();
        let lease = state.lease();
        Parts {
            state: Box::new(state),
            store: Box::new(LocalStore::open_shared(folder.join(Parts::STORE)).unwrap()),
            uploads: Box::new(UploadFolder::open(folder.join(Parts::UPLOADS)).unwrap()),
            lock: Box::new(lease),
        }
    }
}
