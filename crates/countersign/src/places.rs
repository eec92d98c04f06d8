//! Where the parts of an index lie, and the one way in which commands open them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ceremony::key_command::Source;
use keys::PassphraseSource;
use policy::StoreLimits;
use repository::{
    Arrival, LocalStore, LockFile, Parts, Repository, RepositoryError, Settings, SqliteArrival,
    SqliteState, State, Store, UploadFolder, Uploads, WriterLock,
};
use state_postgres::{Address, AddressError, PostgresArrival, PostgresState};
use store_bucket::{Bucket, BucketError, BucketPlace, BucketUploads};

use crate::bucket_options::BucketOptions;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::failure::Failure;

/// Where help lists these options.
const STORAGE: &str = "Storage";

/// Where an index keeps its parts, if not in its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct StorageArgs {
    /// What must not be lost: a SQLite file, or a database as `postgres://USER@HOST/DATABASE`, without a
    /// password [default: `state.sqlite` in the data directory]
    #[arg(long, value_name = "FILE|URL", env = "COUNTERSIGN_STATE")]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) state: Option<StatePlace>,

    /// File whose first line is the database's password [default: PGPASSFILE or ~/.pgpass]
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_STATE_PASSWORD_FILE")]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) state_password_file: Option<PathBuf>,

    /// Name of the systemd credential that holds the database's password (`LoadCredential=`)
    #[arg(
        long,
        value_name = "NAME",
        env = "COUNTERSIGN_STATE_PASSWORD_CREDENTIAL"
    )]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    #[arg(conflicts_with = "state_password_file")]
    pub(crate) state_password_credential: Option<String>,

    /// File of certificates to believe in the database's stead [default: the system's]
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_STATE_AUTHORITIES")]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) state_authorities: Option<PathBuf>,

    /// What clients fetch: a folder, or `s3://BUCKET/PREFIX` [default: `repository` in the data
    /// directory]
    #[arg(long, value_name = "DIR|URL", env = "COUNTERSIGN_STORE")]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) store: Option<StorePlace>,

    /// Where files wait that are taken in: `s3://BUCKET/PREFIX`, apart from the store [default:
    /// `incoming` in the data directory]
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_UPLOADS")]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) uploads: Option<BucketPlace>,

    #[command(flatten)]
    pub(crate) bucket: BucketOptions,
}

impl StorageArgs {
    /// Where the password of the state's database is.
    pub(crate) fn state_password(&self) -> Option<Source> {
        let file = self.state_password_file.clone().map(Source::File);
        file.or_else(|| {
            self.state_password_credential
                .clone()
                .map(Source::Credential)
        })
    }
}

/// Where the state is: what must not be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StatePlace {
    /// A SQLite file of this machine.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(String),
}

impl FromStr for StatePlace {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // PostgreSQL's other form, `host=… user=…`, is an address as well.
        if !text.contains("://") && !text.contains('=') {
            return Ok(Self::File(text.into()));
        }
        // Read once to refuse a password before anything shows it.
        Address::new(text, None, Some(b"none"))?;
        Ok(Self::Postgres(text.to_owned()))
    }
}

impl fmt::Display for StatePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(url) => f.write_str(url),
        }
    }
}

impl StatePlace {
    /// The same with a path relative to `folder` made usable from anywhere.
    pub(crate) fn below(self, folder: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(folder.join(path)),
            database @ Self::Postgres(_) => database,
        }
    }
}

/// Where the store is: what clients fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StorePlace {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket.
    Bucket(BucketPlace),
}

impl FromStr for StorePlace {
    type Err = BucketError;

    fn from_str(text: &str) -> Result<Self, BucketError> {
        if text.contains("://") {
            return text.parse().map(Self::Bucket);
        }
        Ok(Self::Folder(text.into()))
    }
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket(place) => place.fmt(f),
        }
    }
}

impl StorePlace {
    /// The same as it is written down: usable from anywhere.
    pub(crate) fn absolute(self) -> Result<Self, Failure> {
        match self {
            Self::Folder(path) => match std::path::absolute(&path) {
                Ok(path) => Ok(Self::Folder(path)),
                Err(source) => Err(Failure::Io {
                    doing: "find",
                    path,
                    source,
                }),
            },
            bucket @ Self::Bucket(_) => Ok(bucket),
        }
    }

    /// The same with a path relative to `folder` made usable from anywhere.
    pub(crate) fn below(self, folder: &Path) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(folder.join(path)),
            bucket @ Self::Bucket(_) => bucket,
        }
    }
}

/// Opens an index: its parts, wherever its settings, the command line and the environment say they are.
pub(crate) fn open(data_dir: &DataDir) -> Result<Repository, Failure> {
    Ok(Repository::assemble(parts(data_dir)?)?)
}

/// Makes the parts of a new index.
pub(crate) fn init(data_dir: &DataDir, settings: &Settings) -> Result<Repository, Failure> {
    let limits = settings.policy.store;
    check_store(&data_dir.settings()?, limits)?;
    match data_dir.settings()?.state.value {
        StatePlace::File(path) => drop(SqliteState::create(&path, settings)?),
        StatePlace::Postgres(url) => {
            let address = address(data_dir, &url)?;
            drop(PostgresState::create(
                address,
                settings.policy.state,
                settings,
            )?);
        }
    }
    open(data_dir)
}

/// Brings the state of an older program to this one's schema; says which version it had.
pub(crate) fn upgrade(data_dir: &DataDir) -> Result<i64, Failure> {
    Ok(match data_dir.settings()?.state.value {
        StatePlace::File(path) => SqliteState::upgrade(&path)?,
        StatePlace::Postgres(url) => PostgresState::upgrade(address(data_dir, &url)?)?,
    })
}

/// The folder that is served.
pub(crate) fn served_folder(data_dir: &DataDir) -> Result<PathBuf, Failure> {
    if let StorePlace::Bucket(place) = data_dir.settings()?.store.value {
        return Err(Failure::ServedElsewhere { place });
    }
    let repository = open(data_dir)?;
    let folder = repository.store_folder().map(Path::to_owned);
    Ok(folder.unwrap_or_else(|| data_dir.repository()))
}

/// Refuses places that cannot hold what an index needs of them; asks a bucket whether it can.
pub(crate) fn check(data_dir: &DataDir) -> Result<(), Failure> {
    let (state, _) = state(data_dir)?;
    check_store(&data_dir.settings()?, state.settings()?.policy.store)
}

fn check_store(config: &Config, limits: StoreLimits) -> Result<(), Failure> {
    if let StorePlace::Bucket(place) = &config.store.value {
        Bucket::open(place.clone(), &config.bucket.endpoint()?, limits)?.check()?;
    }
    Ok(())
}

fn parts(data_dir: &DataDir) -> Result<Parts, Failure> {
    let folder = data_dir.path();
    let (state, lock) = state(data_dir)?;
    let config = data_dir.settings()?;
    let limits = state.settings()?.policy.store;
    let uploads: Box<dyn Uploads> = if let Some(place) = &config.uploads.value {
        if let StorePlace::Bucket(store) = &config.store.value {
            place.is_apart_from(store)?;
        }
        let endpoint = config.bucket.endpoint()?;
        Box::new(BucketUploads::open(place.clone(), &endpoint, limits)?)
    } else {
        let path = folder.join(Parts::UPLOADS);
        Box::new(UploadFolder::open(&path).map_err(opening(path))?)
    };
    Ok(Parts {
        state,
        store: store(&config, limits)?,
        uploads,
        lock,
    })
}

/// A state, and what makes its writer one.
type StateAndLock = (Box<dyn State>, Box<dyn WriterLock>);

/// Opens the state.
fn state(data_dir: &DataDir) -> Result<StateAndLock, Failure> {
    let folder = data_dir.path();
    match data_dir.settings()?.state.value {
        StatePlace::File(path) => {
            let state = SqliteState::open(&path).map_err(|error| match error {
                RepositoryError::Missing { .. } if path == folder.join(Parts::STATE) => {
                    RepositoryError::Missing {
                        path: folder.to_owned(),
                    }
                }
                other => other,
            })?;
            // Beside the state: whoever has the same state has the same lock.
            let lock = LockFile::at(path.with_file_name(Parts::LOCK));
            Ok((Box::new(state), Box::new(lock)))
        }
        StatePlace::Postgres(url) => {
            let state = PostgresState::open(address(data_dir, &url)?)?;
            let lease = state.lease();
            Ok((Box::new(state), Box::new(lease)))
        }
    }
}

/// A place that the state is carried to, with the settings of the state that comes.
pub(crate) fn arrival(config: &Config, settings: &Settings) -> Result<Box<dyn Arrival>, Failure> {
    let settings = settings.clone();
    Ok(match &config.state.value {
        StatePlace::File(path) => Box::new(SqliteArrival::at(path.clone(), settings)),
        StatePlace::Postgres(url) => {
            let limits = settings.policy.state;
            Box::new(PostgresArrival::at(
                address_in(config, url)?,
                limits,
                settings,
            ))
        }
    })
}

/// Makes a copy of this number the state, at a place that an earlier move has carried it to.
pub(crate) fn arrive(config: &Config, id: &str) -> Result<(), Failure> {
    match &config.state.value {
        StatePlace::File(path) => SqliteArrival::arrive_at(path, id)?,
        StatePlace::Postgres(url) => {
            PostgresArrival::arrive_at(address_in(config, url)?, id)?;
        }
    }
    Ok(())
}

fn address(data_dir: &DataDir, url: &str) -> Result<Address, Failure> {
    address_in(&data_dir.settings()?, url)
}

/// The address of a database, with the password from where the settings say it is.
fn address_in(config: &Config, url: &str) -> Result<Address, Failure> {
    let password = config.state_password.value.as_ref();
    let password = password
        .map(|source| source.passphrase(url))
        .transpose()
        .map_err(|source| Failure::DatabasePassword {
            address: url.to_owned(),
            source,
        })?;
    let authorities = config.state_authorities.value.as_deref();
    let password = password.as_ref().map(keys::Passphrase::expose);
    Ok(Address::new(url, authorities, password)?)
}

fn opening(path: PathBuf) -> impl FnOnce(std::io::Error) -> RepositoryError {
    move |source| RepositoryError::Io {
        doing: "open",
        path,
        source,
    }
}

/// Opens the store alone.
pub(crate) fn store(config: &Config, limits: StoreLimits) -> Result<Box<dyn Store>, Failure> {
    Ok(match &config.store.value {
        StorePlace::Folder(path) => {
            // Under a lease several processes may believe that they are the writer.
            let opened = if matches!(config.state.value, StatePlace::Postgres(_)) {
                LocalStore::open_shared(path)
            } else {
                LocalStore::open(path)
            };
            Box::new(opened.map_err(opening(path.clone()))?)
        }
        StorePlace::Bucket(place) => {
            let endpoint = config.bucket.endpoint()?;
            Box::new(Bucket::open(place.clone(), &endpoint, limits)?)
        }
    })
}
