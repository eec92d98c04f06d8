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
    /// The descriptor cannot be read.
    #[error("cannot read the passphrase from descriptor {number}")]
    Descriptor {
        /// The descriptor.
        number: u16,
        /// Why.
        source: io::Error,
    },
    /// The next line of the descriptor is no passphrase.
    #[error("the next line of descriptor {number} is empty or too long, or there is none")]
    DescriptorLine {
        /// The descriptor.
        number: u16,
    },
    /// The service manager passed no credentials.
    #[error("no credentials were passed; is `$CREDENTIALS_DIRECTORY` set?")]
    NoCredentials,
    /// A name no credential can have.
    #[error("`{name}` is no name of a credential")]
    CredentialName {
        /// The name, shortened.
        name: String,
    },
}
