//! Why a `key` command ends early, and what to do next.

use std::io;
use std::path::PathBuf;

use keys::{KeyError, KeyFlaw, KeyUri, PassphraseError};
use metadata::MetadataError;

/// A `key` command was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyCommandError {
    /// A key could not be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A passphrase could not be had.
    #[error("no passphrase")]
    Passphrase(#[from] PassphraseError),
    /// A new passphrase was typed in two ways.
    #[error("the two passphrases differ; no key was made")]
    PassphrasesDiffer,
    /// A file of the caller's.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file for the caller.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A public key that is none.
    #[error("`{}` holds no public key", path.display())]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeyFlaw,
    },
    /// A root or targets file that is none.
    #[error("`{}` is not the metadata expected here", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: MetadataError,
    },
    /// Keys of this scheme are not made by this program.
    #[error("{key} is not made here: only keys in files and on tokens are")]
    NotMadeHere {
        /// The key.
        key: Box<KeyUri>,
    },
    /// Files and tokens have different kinds of key.
    #[error("{key} cannot be of type {key_type}")]
    Type {
        /// The key.
        key: Box<KeyUri>,
        /// The type asked for.
        key_type: &'static str,
    },
    /// Only the private keys in files can be written anew.
    #[error("{key} is not in a file: its private key does not leave where it is")]
    NotAFile {
        /// The key.
        key: Box<KeyUri>,
    },
    /// None of the documents given count the key's signatures.
    #[error("{key} signs, but serves no role of the metadata given")]
    ServesNothing {
        /// The key.
        key: String,
    },
}

impl KeyCommandError {
    /// Whether the command line is at fault.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NotMadeHere { .. } | Self::Type { .. } | Self::NotAFile { .. }
        )
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::PassphrasesDiffer => "try again",
            Self::NotMadeHere { key } => match key.as_ref() {
                KeyUri::SshAgent(_) => "make it with ssh-keygen and add it with ssh-add",
                KeyUri::AwsKms(_) => {
                    "make it with `aws kms create-key --key-usage SIGN_VERIFY \
                     --key-spec ECC_NIST_P256`"
                }
                _ => "make it with the program that holds it",
            },
            Self::Type { .. } => {
                "files hold ed25519 and ecdsa-p256, tokens ecdsa-p256, rsa-3072 and, some, ed25519"
            }
            Self::NotAFile { .. } => "make a new key where it shall live, and rotate to it",
            Self::ServesNothing { .. } => "`key show` shows its key id; compare it with the roles'",
            Self::Key(error) => return super::hint(error),
            _ => return None,
        })
    }
}
