//! The settings of an index: what the command line and the environment say wins over
//! `countersign.toml` in its folder, that over the defaults.

mod file;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ceremony::key_command::Source;
use keys::{KeyUri, UriError};
use repository::Parts;
use state_postgres::AddressError;

pub(crate) use file::{ConfigFile, keep_state, keep_store, write_new};

use crate::bucket_options::BucketOptions;
use crate::data_dir::DataDir;
use crate::online_keys::OnlineKeyArgs;
use crate::places::{StatePlace, StorePlace};
use store_bucket::{BucketError, BucketPlace};

/// Port of the repository where nothing else is said; the proxy of `quickstart` has the next one.
/// Fixed, since installers know a cached file by its URL.
pub(crate) const PORT: u16 = 8431;

/// All settings, each with where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Keys that sign timestamp, snapshot and bins.
    pub(crate) online_keys: Setting<Vec<KeyUri>>,
    /// Where their passphrases are; empty for the terminal.
    pub(crate) passphrases: Setting<Vec<Source>>,
    /// Where the repository is served.
    pub(crate) listen: Setting<SocketAddr>,
    /// Where the store is.
    pub(crate) store: Setting<StorePlace>,
    /// Where the uploads are, if not in the index's folder.
    pub(crate) uploads: Setting<Option<BucketPlace>>,
    /// What is said of buckets, by whomever.
    pub(crate) bucket: BucketOptions,
    /// Where the state is.
    pub(crate) state: Setting<StatePlace>,
    /// Where the password of the state's database is; `None` for the password file of PostgreSQL's own
    /// programs.
    pub(crate) state_password: Setting<Option<Source>>,
    /// Whom the state's database is believed by; `None` for the authorities of the system.
    pub(crate) state_authorities: Setting<Option<PathBuf>>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// What it is.
    pub(crate) value: T,
    /// Who says so.
    pub(crate) origin: Origin,
}

/// Who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The command line or a variable.
    Given,
    /// The settings file.
    File(PathBuf),
    /// This program.
    Default,
}

/// What the command line and the environment say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// Keys that sign online.
    pub(crate) online_keys: Vec<KeyUri>,
    /// Where their passphrases are.
    pub(crate) passphrases: Vec<Source>,
    /// Where the repository is served.
    pub(crate) listen: Option<SocketAddr>,
}

impl From<&OnlineKeyArgs> for Given {
    fn from(args: &OnlineKeyArgs) -> Self {
        Self {
            online_keys: args.keys_in_full(),
            passphrases: args.passphrases.sources(),
            listen: None,
        }
    }
}

impl Config {
    /// What file and defaults say.
    pub(crate) fn load(data_dir: &DataDir) -> Result<Self, ConfigError> {
        let path = data_dir.config();
        let file = ConfigFile::read(&path)?;
        let from_file = || Origin::File(path.clone());
        let listen = file.listen;
        let given = data_dir.storage();
        let store = file.store_in(data_dir.path(), &path)?;
        let uploads = file.uploads(&path)?;
        let bucket = given.bucket.clone().or(&file.bucket(), data_dir.path());
        let state = file.state_in(data_dir.path(), &path)?;
        let state_password = file.state_password_in(data_dir.path());
        let state_authorities = file.state_authorities_in(data_dir.path());
        let keys = file.keys_in(data_dir.path(), &path)?;
        let passphrases = file.passphrases_in(data_dir.path());
        let origin = |is_set: bool| {
            if is_set { from_file() } else { Origin::Default }
        };
        Ok(Self {
            online_keys: Setting {
                origin: origin(!keys.is_empty()),
                value: keys,
            },
            passphrases: Setting {
                origin: origin(!passphrases.is_empty()),
                value: passphrases,
            },
            listen: Setting {
                origin: origin(listen.is_some()),
                value: listen.unwrap_or((Ipv4Addr::LOCALHOST, PORT).into()),
            },
            store: Setting::chosen(given.store.clone(), store, &path)
                .or_default(|| StorePlace::Folder(data_dir.repository())),
            state: Setting::chosen(given.state.clone(), state, &path)
                .or_default(|| StatePlace::File(data_dir.path().join(Parts::STATE))),
            state_password: Setting::chosen(given.state_password(), state_password, &path),
            state_authorities: Setting::chosen(
                given.state_authorities.clone(),
                state_authorities,
                &path,
            ),
            uploads: Setting::chosen(given.uploads.clone(), uploads, &path),
            bucket,
        })
    }

    /// The same with what was given in its place.
    pub(crate) fn with(mut self, given: &Given) -> Self {
        if !given.online_keys.is_empty() {
            self.online_keys = Setting::given(given.online_keys.clone());
            // The file's passphrases belong to the file's keys.
            self.passphrases = Setting {
                value: Vec::new(),
                origin: Origin::Default,
            };
        }
        if !given.passphrases.is_empty() {
            self.passphrases = Setting::given(given.passphrases.clone());
        }
        if let Some(listen) = given.listen {
            self.listen = Setting::given(listen);
        }
        self
    }
}

impl<T> Setting<Option<T>> {
    /// What was given, else what the file at `path` says, else nothing.
    fn chosen(given: Option<T>, file: Option<T>, path: &Path) -> Self {
        let origin = match (&given, &file) {
            (Some(_), _) => Origin::Given,
            (None, Some(_)) => Origin::File(path.to_owned()),
            (None, None) => Origin::Default,
        };
        Self {
            value: given.or(file),
            origin,
        }
    }

    fn or_default(self, default: impl FnOnce() -> T) -> Setting<T> {
        Setting {
            value: self.value.unwrap_or_else(default),
            origin: self.origin,
        }
    }
}

impl<T> Setting<T> {
    pub(crate) fn given(value: T) -> Self {
        Self {
            value,
            origin: Origin::Given,
        }
    }
}

/// Why the settings of an index cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("could not read the settings in {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("could not write the settings to {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not TOML, an unknown key or a wrong type.
    #[error("the settings in {path} cannot be read", path = path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        source: Box<toml::de::Error>,
    },
    /// A bucket that is none.
    #[error("`{key}` in {path} is no place", path = path.display())]
    Bucket {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: &'static str,
        /// What is wrong.
        source: BucketError,
    },
    /// Settings that could not be changed by lines.
    #[error("{path} cannot be changed: `{key}` does not stand below `[storage]`", path = path.display())]
    Unedited {
        /// The file.
        path: PathBuf,
        /// What was to be changed.
        key: &'static str,
    },
    /// A state that is none.
    #[error("`storage.state` in {path} names no database", path = path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<AddressError>,
    },
    /// A key that is none.
    #[error("`online.keys` in {path}: entry {entry} is no key", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Which, from 1. What it says is not repeated: it may hold what it should not, a PIN.
        entry: usize,
        /// What is wrong with it.
        source: UriError,
    },
}

/// A path as it is written into the settings: relative to the index if it lies there, else absolute,
/// so that it means the same wherever a command is started.
pub(crate) fn portable(path: &Path, data_dir: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let data_dir = std::path::absolute(data_dir)?;
    Ok(match path.strip_prefix(&data_dir) {
        Ok(inside) => inside.to_owned(),
        Err(_) => path,
    })
}
