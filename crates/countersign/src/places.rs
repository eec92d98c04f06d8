//! Where the parts of an index lie, and the one way in which commands open them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use policy::StoreLimits;
use repository::{
    LocalStore, LockFile, Parts, Repository, RepositoryError, Settings, SqliteState, State, Store,
    UploadFolder, Uploads,
};
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
    let path = data_dir.path().join(Parts::STATE);
    SqliteState::create(&path, settings)?;
    if let Err(failure) = check(data_dir) {
        // Nothing was made: the same command may be given again.
        let _ = std::fs::remove_file(path);
        return Err(failure);
    }
    open(data_dir)
}

/// Brings the state of an older program to this one's schema; says which version it had.
pub(crate) fn upgrade(data_dir: &DataDir) -> Result<i64, Failure> {
    Ok(Repository::upgrade(data_dir.path())?)
}

/// The folder that is served.
pub(crate) fn served_folder(data_dir: &DataDir) -> Result<PathBuf, Failure> {
    if let StorePlace::Bucket(place) = Config::load(data_dir)?.store.value {
        return Err(Failure::ServedElsewhere { place });
    }
    let repository = open(data_dir)?;
    let folder = repository.store_folder().map(Path::to_owned);
    Ok(folder.unwrap_or_else(|| data_dir.repository()))
}

/// Refuses places that cannot hold what an index needs of them; asks a bucket whether it can.
pub(crate) fn check(data_dir: &DataDir) -> Result<(), Failure> {
    let config = Config::load(data_dir)?;
    if let StorePlace::Bucket(place) = &config.store.value {
        let state = state(data_dir)?;
        let limits = state.settings()?.policy.store;
        Bucket::open(place.clone(), &config.bucket.endpoint()?, limits)?.check()?;
    }
    Ok(())
}

fn parts(data_dir: &DataDir) -> Result<Parts, Failure> {
    let folder = data_dir.path();
    let state = state(data_dir)?;
    let config = Config::load(data_dir)?;
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
        state: Box::new(state),
        store: store(&config, limits)?,
        uploads,
        lock: Box::new(LockFile::at(folder.join(Parts::LOCK))),
    })
}

fn state(data_dir: &DataDir) -> Result<SqliteState, RepositoryError> {
    let folder = data_dir.path();
    SqliteState::open(&folder.join(Parts::STATE)).map_err(|error| match error {
        RepositoryError::Missing { .. } => RepositoryError::Missing {
            path: folder.to_owned(),
        },
        other => other,
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
pub(crate) fn store(config: &Config, limits: StoreLimits) -> Result<Box<dyn Store>, Failure> {
    Ok(match &config.store.value {
        StorePlace::Folder(path) => {
            Box::new(LocalStore::open(path).map_err(opening(path.clone()))?)
        }
        StorePlace::Bucket(place) => {
            let endpoint = config.bucket.endpoint()?;
            Box::new(Bucket::open(place.clone(), &endpoint, limits)?)
        }
    })
}
