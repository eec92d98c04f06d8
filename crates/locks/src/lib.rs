//! Reads what the lock files of installers promise: which projects, which files, which digests; and
//! what requirements ask for.
//!
//! Pure: text is an argument. Nothing here says whether a promise is worth anything: that is asked of
//! a signed repository. What a reader does not understand it refuses by name; it never leaves an entry
//! out.
//!
//! ```
//! # use countersign_locks as locks;
//! use locks::{Lock, LockKind};
//!
//! let text = "six==1.17.0 --hash=sha256:\
//!     4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n";
//! let lock = Lock::parse(LockKind::Requirements, text)?;
//! assert_eq!(lock.packages[0].name.as_str(), "six");
//! assert_eq!(lock.packages[0].files.len(), 1);
//! # Ok::<(), locks::LockError>(())
//! ```

mod error;
mod poetry;
mod pylock;
mod requirement;
mod requirements;
mod uv;

pub use error::LockError;
use index::ProjectName;
use metadata::Sha256;
pub use requirement::Requirement;
pub use requirements::Requirements;

/// Bytes of a lock file; the largest known ones have a few MB.
pub const MAX_LOCK: usize = 64 << 20;

/// Which program wrote a lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// `uv.lock`.
    Uv,
    /// `poetry.lock`.
    Poetry,
    /// `pylock.toml` (PEP 751).
    Pylock,
    /// `requirements.txt` with `--hash`.
    Requirements,
}

impl LockKind {
    /// The kind that a file of this name has: `uv.lock`, `poetry.lock`, `pylock.toml`,
    /// `pylock.NAME.toml` (PEP 751), or any `*.txt` or `*.in` for requirements.
    #[must_use]
    pub fn of(file_name: &str) -> Option<Self> {
        let is_pylock = file_name
            .strip_prefix("pylock.")
            .and_then(|rest| rest.strip_suffix("toml"))
            .is_some_and(|name| name.is_empty() || name.ends_with('.'));
        match file_name {
            "uv.lock" => Some(Self::Uv),
            "poetry.lock" => Some(Self::Poetry),
            _ if is_pylock => Some(Self::Pylock),
            _ if [".txt", ".in"].iter().any(|end| file_name.ends_with(end)) => {
                Some(Self::Requirements)
            }
            _ => None,
        }
    }
}

/// A lock file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Every entry, in the file's order.
    pub packages: Vec<LockedPackage>,
}

/// One entry of a lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedPackage {
    /// The project.
    pub name: ProjectName,
    /// The version pinned, as written.
    pub version: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// The files of which one may be installed.
    pub files: Vec<LockedFile>,
}

/// Where an entry comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An index; which one is the installer's configuration.
    Index,
    /// The project that is locked, or a folder of its own machine.
    Local,
    /// Somewhere else: a repository of source code, a URL. No index speaks for it.
    Elsewhere(String),
}

/// A file that an entry allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedFile {
    /// Its name, where the lock file states it.
    pub filename: Option<String>,
    /// Its digest, where the lock file states one of this algorithm.
    pub sha256: Option<Sha256>,
}

impl Lock {
    /// Reads a lock file.
    pub fn parse(kind: LockKind, text: &str) -> Result<Self, LockError> {
        check_size(text)?;
        let packages = match kind {
            LockKind::Uv => uv::read(text)?,
            LockKind::Poetry => poetry::read(text)?,
            LockKind::Pylock => pylock::read(text)?,
            LockKind::Requirements => requirements::read(text)?,
        };
        Ok(Self { packages })
    }
}

fn check_size(text: &str) -> Result<(), LockError> {
    if text.len() > MAX_LOCK {
        let (bytes, limit) = (text.len(), MAX_LOCK);
        return Err(LockError::TooLarge { bytes, limit });
    }
    Ok(())
}

/// A digest written `sha256:HEX`; another algorithm is no error and no SHA-256.
fn sha256_of(hash: &str) -> Result<Option<Sha256>, LockError> {
    match hash.split_once(':') {
        Some(("sha256", hex)) => digest(hex).map(Some),
        Some((algorithm, digest)) if !algorithm.is_empty() && !digest.is_empty() => Ok(None),
        _ => Err(LockError::Hash {
            found: excerpt(hash),
        }),
    }
}

fn digest(hex: &str) -> Result<Sha256, LockError> {
    Sha256::parse(hex).map_err(|_| LockError::Hash {
        found: excerpt(hex),
    })
}

fn project(name: &str) -> Result<ProjectName, LockError> {
    ProjectName::parse(name).map_err(|source| LockError::Name { source })
}

/// The last part of a URL or path: the name of the file it leads to, if it can be one.
fn file_name(location: &str) -> Option<String> {
    let path = location.split(['?', '#']).next()?;
    let name = path.rsplit(['/', '\\']).next()?;
    (!name.is_empty() && !name.contains('%')).then(|| name.to_owned())
}

/// The first 80 characters of untrusted text, for messages, with what terminals would obey escaped.
fn excerpt(text: &str) -> String {
    let mut out: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        for (name, kind) in [
            ("uv.lock", Some(LockKind::Uv)),
            ("poetry.lock", Some(LockKind::Poetry)),
            ("pylock.toml", Some(LockKind::Pylock)),
            ("pylock.dev.toml", Some(LockKind::Pylock)),
            ("requirements-dev.txt", Some(LockKind::Requirements)),
            ("pylock.xtoml", None),
            ("Cargo.lock", None),
            ("pyproject.toml", None),
        ] {
            assert_eq!(LockKind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn the_last_part_of_a_location_is_a_file_name() {
        let name = |location| file_name(location);
        let is = |name: &str| Some(name.to_owned());
        assert_eq!(name("https://index.example/a/b-1.whl#x=y/z"), is("b-1.whl"));
        assert_eq!(name("..\\dist\\b-1.whl"), is("b-1.whl"));
        assert_eq!(name("b-1.whl"), is("b-1.whl"));
        assert_eq!(name("https://index.example/a/"), None);
        assert_eq!(name("https://index.example/b%2D1.whl"), None);
    }
}
