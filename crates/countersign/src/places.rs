//! Where the parts of an index lie, and the one way in which commands open them.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use repository::{
    LocalStore, LockFile, Parts, Repository, RepositoryError, Settings, SqliteState, Store,
    UploadFolder,
};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::failure::Failure;

/// Where help lists these options.
const STORAGE: &str = "Storage";

/// Where an index keeps its parts, if not in its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct StorageArgs {
    /// Folder that is served [default: `repository` in the data directory]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_STORE")]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) store: Option<StorePlace>,
}

/// Where the store is: what clients fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StorePlace {
    /// A folder of this machine.
    Folder(PathBuf),
}

impl FromStr for StorePlace {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::Folder(text.into()))
    }
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
        }
    }
}

impl StorePlace {
    /// The same with a path relative to `folder` made usable from anywhere.
    pub(crate) fn below(self, folder: &Path) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(folder.join(path)),
        }
    }
}

/// Opens an index: its parts, wherever its settings, the command line and the environment say they are.
pub(crate) fn open(data_dir: &DataDir) -> Result<Repository, Failure> {
    Ok(Repository::assemble(parts(data_dir)?)?)
}

/// Makes the parts of a new index.
pub(crate) fn init(data_dir: &DataDir, settings: &Settings) -> Result<Repository, Failure> {
    SqliteState::create(&data_dir.path().join(Parts::STATE), settings)?;
    open(data_dir)
}

/// Brings the state of an older program to this one's schema; says which version it had.
pub(crate) fn upgrade(data_dir: &DataDir) -> Result<i64, Failure> {
    Ok(Repository::upgrade(data_dir.path())?)
}

/// The folder that is served.
pub(crate) fn served_folder(data_dir: &DataDir) -> Result<PathBuf, Failure> {
    let repository = open(data_dir)?;
    let folder = repository.store_folder().map(Path::to_owned);
    Ok(folder.unwrap_or_else(|| data_dir.repository()))
}

fn parts(data_dir: &DataDir) -> Result<Parts, Failure> {
    let folder = data_dir.path();
    let state = SqliteState::open(&folder.join(Parts::STATE)).map_err(|error| match error {
        RepositoryError::Missing { .. } => RepositoryError::Missing {
            path: folder.to_owned(),
        },
        other => other,
    })?;
    let uploads = folder.join(Parts::UPLOADS);
    Ok(Parts {
        state: Box::new(state),
        store: store(data_dir)?,
        uploads: Box::new(UploadFolder::open(&uploads).map_err(opening(uploads))?),
        lock: Box::new(LockFile::at(folder.join(Parts::LOCK))),
    })
}

fn opening(path: PathBuf) -> impl FnOnce(std::io::Error) -> RepositoryError {
    move |source| RepositoryError::Io {
        doing: "open",
        path,
        source,
    }
}

/// Opens the store alone.
fn store(data_dir: &DataDir) -> Result<Box<dyn Store>, Failure> {
    match Config::load(data_dir)?.store.value {
        StorePlace::Folder(path) => {
            let store = LocalStore::open(&path).map_err(opening(path))?;
            Ok(Box::new(store))
        }
    }
}
