//! The folder of an index, and what lies where in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;
use crate::console::in_one_line;
use crate::failure::Failure;
use crate::places::StorageArgs;

/// Which index a command works on.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DataDirArgs {
    /// Folder of the index: its state, its settings and the repository that is served
    #[arg(long, value_name = "DIR", default_value = "countersign-data")]
    #[arg(env = "COUNTERSIGN_DATA_DIR")]
    data_dir: PathBuf,

    #[command(flatten)]
    storage: StorageArgs,
}

impl DataDirArgs {
    /// The folder.
    pub(crate) fn open(&self) -> DataDir {
        DataDir {
            folder: self.data_dir.clone(),
            storage: self.storage.clone(),
            settings: None,
        }
    }
}

/// The folder of an index.
#[derive(Clone, Debug)]
pub(crate) struct DataDir {
    folder: PathBuf,
    /// What the command line and the environment say of its parts.
    storage: StorageArgs,
    /// The settings as they could last be read, for a program that runs on.
    settings: Option<Arc<Mutex<Config>>>,
}

impl DataDir {
    /// The folder at a path.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self {
            folder,
            storage: StorageArgs::default(),
            settings: None,
        }
    }

    /// The same for a program that runs on: it follows an index that moves, and a file that is spoilt
    /// meanwhile leaves it with what it had.
    pub(crate) fn settled(self) -> Result<Self, Failure> {
        let settings = Some(Arc::new(Mutex::new(Config::load(&self)?)));
        Ok(Self { settings, ..self })
    }

    /// The settings that say where its parts lie.
    pub(crate) fn settings(&self) -> Result<Config, Failure> {
        let Some(last) = &self.settings else {
            return Ok(Config::load(self)?);
        };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        match Config::load(self) {
            Ok(settings) => *last = settings,
            Err(error) => tracing::warn!(
                "going on with the settings of before: {}",
                in_one_line(&error)
            ),
        }
        Ok(last.clone())
    }

    /// What the command line and the environment say of where its parts lie.
    pub(crate) fn storage(&self) -> &StorageArgs {
        &self.storage
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Its settings.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("countersign.toml")
    }

    /// What is served, unless its settings say otherwise. The repository has a say in the name; see
    /// [`repository::Parts`].
    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    /// Quickstart's keys, in two folders.
    pub(crate) fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// Those that belong offline.
    pub(crate) fn offline_keys(&self) -> PathBuf {
        self.keys().join("offline")
    }

    /// The one that stays online.
    pub(crate) fn online_keys(&self) -> PathBuf {
        self.keys().join("online")
    }

    /// Quickstart's key ceremony.
    pub(crate) fn ceremony(&self) -> PathBuf {
        self.folder.join("ceremony")
    }

    /// Quickstart's sample distributions.
    pub(crate) fn samples(&self) -> PathBuf {
        self.folder.join("samples")
    }

    /// What quickstart's own client trusts and has downloaded.
    pub(crate) fn client(&self) -> PathBuf {
        self.folder.join("client")
    }

    /// What quickstart's proxy trusts and has cached.
    pub(crate) fn proxy(&self) -> PathBuf {
        self.folder.join("proxy")
    }

    /// Refuses a folder that holds anything: it is somebody's.
    pub(crate) fn check_free(&self) -> Result<(), Failure> {
        let failed = |source| Failure::Io {
            doing: "list",
            path: self.folder.clone(),
            source,
        };
        match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            entries => match entries.map_err(failed)?.next() {
                None => Ok(()),
                Some(_) => Err(Failure::Taken {
                    path: self.folder.clone(),
                }),
            },
        }
    }

    /// Makes the folder.
    pub(crate) fn create(&self) -> Result<(), Failure> {
        make_folder(&self.folder)
    }
}

/// Makes a folder, and those above it, with the usual rights: a web server may serve from it.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    make(path, &mut fs::DirBuilder::new())
}

/// Makes a folder that only its owner may enter.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    make(path, &mut builder)
}

fn make(path: &Path, builder: &mut fs::DirBuilder) -> Result<(), Failure> {
    builder
        .recursive(true)
        .create(path)
        .map_err(|source| Failure::Io {
            doing: "make",
            path: path.to_owned(),
            source,
        })
}
