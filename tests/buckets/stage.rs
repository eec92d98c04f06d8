//! An index whose store is in a bucket, and those who judge it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_tests::checker::{Checker, Listed};
use countersign_tests::environment::samples;
use countersign_tests::postgres::{PASSWORD, PostgresServer};
use countersign_tests::published::{Genesis, Made, policy_text};
use countersign_tests::s3::S3;
use keys::{FileKey, KeyType, Signer};
use policy::{Encoding, Policy};
use repository::{
    HeldLock, OnlineSigners, Parts, Repository, RepositoryError, Settings, SqliteState, Store,
    TickOptions, TickReport, UploadFolder, WriterLock,
};
use ring::rand::SystemRandom;
use state_postgres::{Address, PostgresState};
use tempfile::TempDir;

/// A ceremony held once, from which any number of indexes is made.
pub(crate) struct Origin {
    home: TempDir,
    pub(crate) genesis: Genesis,
    online: Arc<dyn Signer>,
    policy: String,
}

impl Origin {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let key = FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap();
        let online: Arc<dyn Signer> = Arc::new(key);
        let policy = policy_text((8, Encoding::PathHashPrefixes));
        assert!(Policy::parse(&policy).is_ok());
        let made = Made {
            bins: (8, Encoding::PathHashPrefixes),
            keys: KeyType::Ed25519,
            now: Utc::now(),
        };
        let genesis = Genesis::hold(home.path(), &policy, made, online.as_ref());
        Self {
            home,
            genesis,
            online,
            policy,
        }
    }

    /// An index with one published file, its store below `prefix`; three more files wait.
    pub(crate) fn index<'a>(&'a self, s3: &'a S3, prefix: &str) -> Index<'a> {
        self.index_with(s3, prefix, None)
    }

    /// The same with the state in PostgreSQL, where a server is given.
    pub(crate) fn index_with<'a>(
        &'a self,
        s3: &'a S3,
        prefix: &str,
        server: Option<&'a PostgresServer>,
    ) -> Index<'a> {
        let folder = self.home.path().join(format!("index-{prefix}"));
        std::fs::create_dir_all(&folder).unwrap();
        let settings = Settings::from_policy(&self.policy).unwrap();
        let database = server.map(|server| {
            let name = prefix.replace('-', "_");
            let url = server.database(&name);
            let limits = settings.policy.state;
            PostgresState::create(address(&url), limits, &settings).unwrap();
            (server, name)
        });
        if database.is_none() {
            SqliteState::create(&folder.join(Parts::STATE), &settings).unwrap();
        }
        let mut index = Index {
            database,
            origin: self,
            s3,
            prefix: prefix.to_owned(),
            folder,
            wheels: 0,
            judge: None,
        };
        let mut repository = index.open(Box::new(s3.store(prefix)));
        repository.apply_set(&self.genesis.set, Utc::now()).unwrap();
        let first = index.wheel();
        repository.add_files(&[first], Utc::now()).unwrap();
        index.tick(&mut repository).unwrap();
        repository.add_files(&samples(), Utc::now()).unwrap();
        index
    }
}

/// The index.
pub(crate) struct Index<'a> {
    /// Where the state is, if not in the folder.
    database: Option<(&'a PostgresServer, String)>,
    origin: &'a Origin,
    s3: &'a S3,
    pub(crate) prefix: String,
    folder: PathBuf,
    wheels: usize,
    judge: Option<(TempDir, Checker)>,
}

/// The file that is on the index from the beginning.
pub(crate) const FIRST: &str = "countersign_sample_words-1.0.0-1-py3-none-any.whl";

impl Index<'_> {
    /// The repository with a store of the caller's.
    pub(crate) fn open(&self, store: Box<dyn Store>) -> Repository {
        Repository::assemble(self.parts(store)).unwrap()
    }

    /// The same for a writer that another may push aside unawares: its lease can be taken from it, and in
    /// a folder nothing keeps the other out, so that only state and store can stop it.
    pub(crate) fn open_unguarded(&self, store: Box<dyn Store>) -> Repository {
        let mut parts = self.parts(store);
        if self.database.is_none() {
            parts.lock = Box::new(Unguarded);
        }
        Repository::assemble(parts).unwrap()
    }

    fn parts(&self, store: Box<dyn Store>) -> Parts {
        let Some((server, name)) = &self.database else {
            return Parts {
                store,
                ..Parts::of_folder(&self.folder).unwrap()
            };
        };
        let state = PostgresState::open(address(&server.url(name))).unwrap();
        Parts {
            lock: Box::new(state.lease()),
            state: Box::new(state),
            store,
            uploads: Box::new(UploadFolder::open(self.folder.join(Parts::UPLOADS)).unwrap()),
        }
    }

    /// Has the lease of whoever holds it run out.
    pub(crate) fn end_lease(&self) {
        if let Some((server, name)) = &self.database {
            let sql = "UPDATE lease SET until = clock_timestamp() - interval '1 second'";
            server.connect(name).batch_execute(sql).unwrap();
        }
    }

    /// The policy it was made with.
    pub(crate) fn policy(&self) -> Policy {
        Policy::parse(&self.origin.policy).unwrap()
    }

    pub(crate) fn signers(&self) -> OnlineSigners {
        OnlineSigners::new(vec![Arc::clone(&self.origin.online)])
    }

    pub(crate) fn tick(&self, repository: &mut Repository) -> Result<TickReport, RepositoryError> {
        repository.tick(&self.signers(), Utc::now(), TickOptions { at_once: true })
    }

    /// A wheel that the index does not have yet.
    pub(crate) fn wheel(&mut self) -> PathBuf {
        self.wheels += 1;
        let sample = samples()
            .into_iter()
            .find(|path| path.to_string_lossy().contains("sample_words"))
            .unwrap();
        let name = format!(
            "countersign_sample_words-1.0.0-{}-py3-none-any.whl",
            self.wheels
        );
        let path = self.folder.join(name);
        std::fs::copy(sample, &path).unwrap();
        path
    }

    /// What the checker finds below the prefix, as clients may fetch it at this moment.
    pub(crate) fn look(&mut self, context: &str) -> Listed {
        self.look_at(Utc::now(), context)
    }

    fn look_at(&mut self, now: DateTime<Utc>, context: &str) -> Listed {
        let (folder, checker) = self.judge.get_or_insert_with(|| {
            let folder = tempfile::tempdir().unwrap();
            self.s3.export(&self.prefix, folder.path());
            let checker = Checker::new(folder.path());
            (folder, checker)
        });
        self.s3.export(&self.prefix, folder.path());
        let listed = checker.look(now);
        listed.unwrap_or_else(|wrong| panic!("{wrong}: {context}"))
    }

    /// The timestamp as it stands: its version and bytes.
    pub(crate) fn timestamp(&self) -> (u64, Vec<u8>) {
        let path = repository::StorePath::metadata("timestamp.json").unwrap();
        let bytes = self
            .s3
            .store(&self.prefix)
            .get(&path, 1 << 20)
            .unwrap()
            .unwrap();
        let wire = metadata::Wire::parse(&bytes, 9).unwrap();
        let version = <metadata::Timestamp as metadata::Document>::parse(wire.signed)
            .unwrap()
            .version
            .get();
        (version, bytes)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.origin.genesis.root
    }
}

fn address(url: &str) -> Address {
    Address::new(url, None, Some(PASSWORD.as_bytes())).unwrap()
}

/// A lock that keeps nobody out.
struct Unguarded;

struct Nothing;

impl HeldLock for Nothing {}

impl WriterLock for Unguarded {
    fn acquire(&self) -> Result<Box<dyn HeldLock>, RepositoryError> {
        Ok(Box::new(Nothing))
    }
}
