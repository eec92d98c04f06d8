//! Why there is no passphrase.

use std::io;
use std::path::PathBuf;

/// A passphrase could not be had, or is none.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Nobody said where to take it from.
    #[error("none was given")]
    NotGiven,
    /// The person asked gave none.
    #[error("the prompt was cancelled")]
    Cancelled,
    /// The terminal failed.
    #[error("cannot ask on the terminal")]
    Terminal {
        /// Why.
        source: io::Error,
    },
    /// An empty passphrase protects nothing.
    #[error("it is empty")]
    Empty,
    /// Longer than any passphrase.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// Most bytes accepted.
        limit: usize,
    },
    /// The passphrase file cannot be read.
    #[error("cannot read the passphrase file `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The first line of the passphrase file is no passphrase.
    #[error("the first line of the passphrase file `{}` is empty or too long", path.display())]
    FirstLine {
        /// The file.
        path: PathBuf,
    },
}
