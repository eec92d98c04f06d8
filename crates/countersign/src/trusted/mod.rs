//! The indexes this user trusts: for each a root that came by a safe way, what was verified since, and
//! the caches that belong to it. Nothing gets in here but by `countersign trust add`.

mod anchor;
mod entry;
mod origin;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use anchor::Anchor;
pub(crate) use entry::Entry;
pub(crate) use origin::{Fingerprint, fetch_root};

use crate::data_dir::make_private_folder;
use crate::failure::Failure;
use crate::keyring::KeyringProvider;

/// Port of the proxy for the first index; each further one has the next that is free. Fixed, since
/// installers know a cached file, and lock files know an index, by its URL.
const FIRST_PORT: u16 = 8440;

/// Where the indexes are kept.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct HomeArgs {
    /// Folder of trusted indexes [default: `countersign` among the user's data]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_HOME")]
    home: Option<PathBuf>,

    /// Where passwords of private indexes come from that no netrc file has: `subprocess` asks the
    /// program `keyring`, as pip and uv do, for the user whom the index's URL names
    #[arg(long, value_name = "PROVIDER", default_value = "disabled")]
    #[arg(env = "COUNTERSIGN_KEYRING_PROVIDER")]
    pub(crate) keyring_provider: KeyringProvider,
}

/// The folder of trusted indexes.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    keyring: KeyringProvider,
}

impl HomeArgs {
    /// The folder; nothing is made yet. Its path is absolute: caches in it are named to programs that
    /// run elsewhere.
    pub(crate) fn open(&self) -> Result<Home, Failure> {
        let at = |folder| Home {
            folder,
            keyring: self.keyring_provider,
        };
        if let Some(home) = &self.home {
            let home = std::path::absolute(home);
            return home
                .map(at)
                .map_err(|source| io_failure("use", Path::new("."), source));
        }
        let set = |name| std::env::var_os(name).map(PathBuf::from);
        // A relative path in it is to be ignored (XDG Base Directory Specification).
        let data = set("XDG_DATA_HOME").filter(|path| path.is_absolute());
        let data = data.or_else(|| Some(set("HOME")?.join(".local/share")));
        let home = data.ok_or(TrustError::NoHome)?.join("countersign");
        Ok(at(home))
    }
}

impl Home {
    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Who is asked for passwords.
    pub(crate) fn keyring(&self) -> KeyringProvider {
        self.keyring
    }

    fn indexes(&self) -> PathBuf {
        self.folder.join("indexes")
    }

    /// All indexes, by name.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let folder = self.indexes();
        let listed = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(|source| io_failure("list", &folder, source))?,
        };
        let mut entries = Vec::new();
        for found in listed {
            let found = found.map_err(|source| io_failure("list", &folder, source))?;
            // Another name is nobody's index; a folder being made begins with a dot.
            if let Some(name) = found
                .file_name()
                .to_str()
                .and_then(|it| check_name(it).ok())
            {
                entries.push(Entry::read(&found.path(), name, self.keyring)?);
            }
        }
        entries.sort_by(|one, other| one.name().cmp(other.name()));
        Ok(entries)
    }

    /// The index of that name.
    pub(crate) fn entry(&self, name: &str) -> Result<Entry, Failure> {
        check_name(name)?;
        let folder = self.indexes().join(name);
        if !folder.exists() {
            return Err(self.unknown(name)?);
        }
        Entry::read(&folder, name, self.keyring)
    }

    /// The index of that name; without a name the only one there is.
    pub(crate) fn chosen(&self, name: Option<&str>) -> Result<Entry, Failure> {
        if let Some(name) = name {
            return self.entry(name);
        }
        let mut entries = self.entries()?;
        match (entries.pop(), entries.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(TrustError::None.into()),
            (Some(_), false) => Err(TrustError::Several.into()),
        }
    }

    /// The ports at which installers know the trusted indexes other than these.
    pub(crate) fn other_ports(&self, names: &[&str]) -> Result<BTreeSet<u16>, Failure> {
        let entries = self.entries()?;
        let (own, others): (Vec<_>, Vec<_>) = entries
            .iter()
            .partition(|entry| names.contains(&entry.name()));
        let ports = |entries: &[&Entry]| -> BTreeSet<u16> {
            entries.iter().map(|entry| entry.address().port()).collect()
        };
        Ok(&ports(&others) - &ports(&own))
    }

    fn unknown(&self, name: &str) -> Result<Failure, Failure> {
        let known = self.entries()?;
        let known: Vec<_> = known.iter().map(|it| it.name().to_owned()).collect();
        Ok(TrustError::Unknown {
            name: name.to_owned(),
            known,
        }
        .into())
    }

    /// Adds an index. It is there whole or not at all. One that is there already with the same anchor stays
    /// as it is, so that a job may add it whether or not an earlier one's folder was restored.
    pub(crate) async fn add(&self, name: &str, anchor: Anchor) -> Result<Entry, Failure> {
        check_name(name)?;
        let folder = self.indexes().join(name);
        if folder.exists() {
            let entry = Entry::read(&folder, name, self.keyring)?;
            if entry.anchor().is_same(&anchor) {
                return Ok(entry);
            }
            let name = name.to_owned();
            return Err(TrustError::Taken { name }.into());
        }
        make_private_folder(&self.indexes())?;
        let ports: Vec<u16> = self
            .entries()?
            .iter()
            .map(|it| it.address().port())
            .collect();
        let free = || (FIRST_PORT..u16::MAX).find(|port| !ports.contains(port));
        let port = anchor.port.or_else(free).unwrap_or(FIRST_PORT);
        let unfinished = self
            .indexes()
            .join(format!(".{name}.{}", std::process::id()));
        make_private_folder(&unfinished)?;
        let made = Entry::make(&unfinished, name, &anchor, port).await;
        let named = made.and_then(|()| {
            let renamed = fs::rename(&unfinished, &folder);
            renamed.map_err(|source| io_failure("name", &folder, source))
        });
        if let Err(failure) = named {
            // What is left of it has no name that anybody reads.
            let _ = fs::remove_dir_all(&unfinished);
            return Err(failure);
        }
        Entry::read(&folder, name, self.keyring)
    }

    /// Removes an index with everything that belongs to it.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        let entry = self.entry(name)?;
        let folder = entry.folder();
        let gone = self
            .indexes()
            .join(format!(".{name}.{}", std::process::id()));
        fs::rename(folder, &gone)
            .and_then(|()| fs::remove_dir_all(&gone))
            .map_err(|source| io_failure("remove", folder, source))
    }
}

/// What an index may be called: it becomes a folder.
fn check_name(name: &str) -> Result<&str, TrustError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_name = name.len() <= 64
        && name.bytes().next().is_some_and(fits)
        && name
            .bytes()
            .all(|byte| fits(byte) || b"-_.".contains(&byte));
    if is_name {
        Ok(name)
    } else {
        Err(TrustError::Name {
            name: name.to_owned(),
        })
    }
}

fn io_failure(doing: &'static str, path: &Path, source: io::Error) -> Failure {
    Failure::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// Why an index cannot be trusted, or is not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// Neither a variable nor a home folder says where.
    #[error("there is no folder for trusted indexes: neither HOME nor COUNTERSIGN_HOME is set")]
    NoHome,
    /// No index is trusted yet.
    #[error("no index is trusted yet")]
    None,
    /// More than one, and none was named.
    #[error("several indexes are trusted, and none was named")]
    Several,
    /// No index of that name.
    #[error("there is no trusted index `{name}`")]
    Unknown {
        /// The name given.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// The name is in use.
    #[error("another index `{name}`, or the same by another root, is trusted already")]
    Taken {
        /// The name.
        name: String,
    },
    /// The index's own URL is asked for, and it has none.
    #[error("this index lies in a folder: no URL of its own is known")]
    NoCanonicalUrl,
    /// A name that is none.
    #[error("`{name}` cannot name an index")]
    Name {
        /// What was given.
        name: String,
    },
    /// A URL with a password, which would lie in a file and be handed on with the anchor.
    #[error("the URL has a password in it")]
    Password,
    /// A file that is no trust anchor.
    #[error("{path} is no trust anchor: {why}", path = path.display())]
    Anchor {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A fingerprint that is none.
    #[error("`{text}` is neither sha256: with 64 hex digits nor sixteen words of the word list")]
    Fingerprint {
        /// What was given.
        text: String,
    },
    /// None of the index's roots has the fingerprint.
    #[error("none of the {looked_at} roots at {url} has the fingerprint given")]
    NoSuchRoot {
        /// Where they were looked for.
        url: String,
        /// How many there were.
        looked_at: u64,
    },
}

impl TrustError {
    /// What to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NoHome => "name one with --home DIR".to_owned(),
            Self::None => "`countersign trust add NAME URL --root FILE` trusts one".to_owned(),
            Self::Several => {
                "name one with --index NAME; `countersign trust list` shows them".to_owned()
            }
            Self::Unknown { known, .. } if known.is_empty() => Self::None.hint(),
            Self::Unknown { known, .. } => format!("trusted are {}", known.join(", ")),
            Self::Taken { name } => format!(
                "`countersign trust show {name}` shows it; to trust another root under that name, \
                 remove it first"
            ),
            Self::Name { .. } => {
                "take lower-case letters, digits, and then also `-`, `_` and `.`".to_owned()
            }
            Self::NoCanonicalUrl => {
                "`countersign trust add` takes it with --canonical-url".to_owned()
            }
            Self::Password => {
                "leave it out: it comes from the netrc file, or with --keyring-provider subprocess \
                 from the keyring"
                    .to_owned()
            }
            Self::Anchor { .. } => {
                "`countersign trust export` writes one; a plain root goes to --root".to_owned()
            }
            Self::Fingerprint { .. } => {
                "`countersign trust show` on a machine that trusts the index prints both".to_owned()
            }
            Self::NoSuchRoot { .. } => {
                "do not trust this index: compare the fingerprint with who gave it to you"
                    .to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for name in ["main", "a", "7.x_y-z"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "a".repeat(65);
        for name in [
            "", ".", "..", ".main", "Main", "a/b", "-a", "a b", "\u{e9}", &long,
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
