//! Where an environment keeps what is installed. Nothing of a virtual environment is run to find out:
//! its interpreter, and what that loads at its start, may be what was altered.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why nobody knows where an environment keeps its distributions.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvironmentError {
    /// No environment was named, and none is active.
    #[error("no environment is named, and VIRTUAL_ENV names none")]
    None,
    /// A folder or file that is no environment.
    #[error("{path} is neither a virtual environment nor an interpreter", path = path.display())]
    NotOne {
        /// What was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An interpreter that did not say where.
    #[error("{path} does not say where its packages are", path = path.display())]
    Silent {
        /// The interpreter.
        path: PathBuf,
    },
}

/// What an interpreter prints: the folders of installed distributions, without `site` and what it loads.
const ASK: &str =
    "import sysconfig; p = sysconfig.get_paths(); print(p['purelib']); print(p['platlib'])";

/// The folders of installed distributions of a virtual environment, by its folder or its interpreter,
/// or of an interpreter that belongs to none.
pub(crate) fn site_packages(named: Option<&Path>) -> Result<Vec<PathBuf>, EnvironmentError> {
    let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let named = named.map(Path::to_owned).or(active);
    let named = named.ok_or(EnvironmentError::None)?;
    let root = if named.is_dir() {
        Some(named.as_path())
    } else {
        // Not through links: those lead out of the environment.
        named.parent().and_then(Path::parent)
    };
    let root = root.filter(|root| root.join("pyvenv.cfg").is_file());
    let folders = match root {
        Some(root) => of_virtual(root).map_err(|source| EnvironmentError::NotOne {
            path: named.clone(),
            source,
        })?,
        None => of_interpreter(&named)?,
    };
    if folders.is_empty() {
        return Err(EnvironmentError::Silent { path: named });
    }
    Ok(folders)
}

/// `lib/pythonX.Y/site-packages`; `lib64` may be the same folder.
fn of_virtual(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for lib in ["lib", "lib64", "Lib"] {
        let lib = root.join(lib);
        let mut inside = vec![lib.join("site-packages")];
        if let Ok(entries) = fs::read_dir(&lib) {
            for entry in entries {
                inside.push(entry?.path().join("site-packages"));
            }
        }
        for folder in inside.into_iter().filter(|folder| folder.is_dir()) {
            folders.push(folder.canonicalize()?);
        }
    }
    folders.sort();
    folders.dedup();
    Ok(folders)
}

fn of_interpreter(path: &Path) -> Result<Vec<PathBuf>, EnvironmentError> {
    let output = Command::new(path).args(["-I", "-S", "-c", ASK]).output();
    let output = output.map_err(|source| EnvironmentError::NotOne {
        path: path.to_owned(),
        source,
    })?;
    let said = String::from_utf8_lossy(&output.stdout);
    let folders = said.lines().map(PathBuf::from);
    let mut folders: Vec<_> = folders.filter_map(|it| it.canonicalize().ok()).collect();
    folders.sort();
    folders.dedup();
    Ok(folders)
}
