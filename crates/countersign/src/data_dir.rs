//! The folder of an index, and what lies where in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Which index a command works on.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DataDirArgs {
    /// Folder of the index: its state, its settings and the repository that is served
    #[arg(long, value_name = "DIR", default_value = "countersign-data")]
    #[arg(env = "COUNTERSIGN_DATA_DIR")]
    data_dir: PathBuf,
}

impl DataDirArgs {
    /// The folder.
    pub(crate) fn open(&self) -> DataDir {
        DataDir(self.data_dir.clone())
    }
}

/// The folder of an index.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// The folder at a path.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Its settings.
    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("countersign.toml")
    }

    /// What is served. The repository has a say in the name; see [`repository::Repository`].
    pub(crate) fn repository(&self) -> PathBuf {
        self.0.join("repository")
    }

    /// Quickstart's keys, in two folders.
    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys")
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
        self.0.join("ceremony")
    }

    /// Quickstart's sample distributions.
    pub(crate) fn samples(&self) -> PathBuf {
        self.0.join("samples")
    }

    /// What quickstart's own client trusts and has downloaded.
    pub(crate) fn client(&self) -> PathBuf {
        self.0.join("client")
    }

    /// What quickstart's proxy trusts and has cached.
    pub(crate) fn proxy(&self) -> PathBuf {
        self.0.join("proxy")
    }

    /// Refuses a folder that holds anything: it is somebody's.
    pub(crate) fn check_free(&self) -> Result<(), Failure> {
        let failed = |source| Failure::Io {
            doing: "list",
            path: self.0.clone(),
            source,
        };
        match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            entries => match entries.map_err(failed)?.next() {
                None => Ok(()),
                Some(_) => Err(Failure::Taken {
                    path: self.0.clone(),
                }),
            },
        }
    }

    /// Makes the folder.
    pub(crate) fn create(&self) -> Result<(), Failure> {
        make_folder(&self.0)
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
