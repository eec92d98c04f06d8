//! What deserves attention about a key that works.

use std::path::PathBuf;

use crate::Kdf;

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
    /// Other users of the machine may read the file.
    #[error("`{}` may be used by others (mode {mode:03o})", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl KeyWarning {
    /// The command that puts it right; `program` is the one that is running.
    #[must_use]
    pub fn remedy(&self, program: &str) -> String {
        match self {
            Self::WeakKdf { key, .. } | Self::Unencrypted { key } => {
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
}
