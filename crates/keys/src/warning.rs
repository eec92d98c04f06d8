//! What deserves attention about a key that works.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::{Kdf, Passphrase};

/// What deserves attention about a key that works; for the caller to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyWarning {
    /// Whoever copies the file can guess its passphrase too cheaply.
    #[error("{key} is weakly protected, by {kdf}; `key convert` re-encrypts it")]
    WeakKdf {
        /// The key.
        key: String,
        /// What protects it.
        kdf: Kdf,
    },
    /// Whoever copies the file has the key.
    #[error("{key} is not encrypted; `key convert` encrypts it")]
    Unencrypted {
        /// The key.
        key: String,
    },
    /// Whoever copies the file can guess the passphrase.
    #[error(
        "the passphrase of {key} is short: {length} characters where {FEWEST_CHARACTERS} resist \
         guessing; `key convert` gives it another"
    )]
    ShortPassphrase {
        /// The key.
        key: String,
        /// Characters of the passphrase.
        length: usize,
    },
    /// Other users of the machine may read the file.
    #[error("`{}` may be used by others (mode {mode:03o})", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Fewest characters of a passphrase that stands alone between a thief and a key (NIST SP 800-63B-4,
/// 3.1.1.2).
const FEWEST_CHARACTERS: usize = 15;

impl KeyWarning {
    /// What deserves attention about a passphrase chosen for `key`, if anything.
    #[must_use]
    pub fn about_new(passphrase: &Passphrase, key: &str) -> Option<Self> {
        let bytes = passphrase.expose();
        // Characters, where it is text: a byte that continues one counts nothing.
        let length = bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        (length < FEWEST_CHARACTERS).then(|| Self::ShortPassphrase {
            key: key.to_owned(),
            length,
        })
    }

    /// What deserves attention about a file that holds a secret, if anything: whether others may use
    /// it. What is no ordinary file, such as a pipe, is not judged.
    #[must_use]
    pub fn about_file(path: &Path) -> Option<Self> {
        let about = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
        Self::about_mode(path, about.permissions().mode() & 0o777)
    }

    /// The same for a mode that is known.
    pub(crate) fn about_mode(path: &Path, mode: u32) -> Option<Self> {
        (mode & 0o077 != 0).then(|| Self::OpenToOthers {
            path: path.to_owned(),
            mode,
        })
    }

    /// The command that puts it right; `program` is the one that is running.
    #[must_use]
    pub fn remedy(&self, program: &str) -> String {
        match self {
            Self::WeakKdf { key, .. }
            | Self::Unencrypted { key }
            | Self::ShortPassphrase { key, .. } => {
                format!("{program} key convert {} file:NEW", quoted(key))
            }
            Self::OpenToOthers { path, .. } => {
                format!("chmod 600 {}", quoted(&path.to_string_lossy()))
            }
        }
    }
}

/// Quotes a word for a POSIX shell where it needs that.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.:_-".contains(&byte);
    if word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_command_that_helps() {
        let weak = KeyWarning::WeakKdf {
            key: "file:keys/a b's.pem".to_owned(),
            kdf: Kdf::Pbkdf2 { iterations: 2048 },
        };
        assert_eq!(
            weak.remedy("countersign"),
            r"countersign key convert 'file:keys/a b'\''s.pem' file:NEW"
        );
        let open = KeyWarning::OpenToOthers {
            path: "/k.pem".into(),
            mode: 0o644,
        };
        assert_eq!(open.remedy("countersign"), "chmod 600 /k.pem");
    }

    #[test]
    fn counts_characters_of_new_passphrases() {
        let about = |text: &str| {
            let passphrase = Passphrase::new(text.to_owned()).unwrap();
            KeyWarning::about_new(&passphrase, "file:k")
        };
        assert_eq!(about("fünfzehn zeichen"), None);
        let short = about("grün grün grün").unwrap();
        assert_eq!(
            short.to_string(),
            "the passphrase of file:k is short: 14 characters where 15 resist guessing; \
             `key convert` gives it another"
        );
    }

    #[test]
    fn files_open_to_others_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        std::fs::write(&path, "4711").unwrap();
        for (mode, open) in [(0o600, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(KeyWarning::about_file(&path).is_some(), open, "{mode:o}");
        }
        assert_eq!(KeyWarning::about_file(Path::new("/dev/null")), None);
        assert_eq!(KeyWarning::about_file(Path::new("/nonexistent")), None);
    }
}
