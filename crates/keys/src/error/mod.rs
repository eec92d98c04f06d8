//! What can go wrong with keys, sorted by whose fault it is. No variant can hold a secret.

mod agent;
mod exec;
mod flaw;
mod passphrase;
mod uri;

use std::io;
use std::path::PathBuf;

use metadata::KeyId;

use crate::TokenError;

pub use agent::AgentError;
pub use exec::ExecError;
pub use flaw::KeyFlaw;
pub use passphrase::PassphraseError;
pub use uri::UriError;

/// A key could not be reached, read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name of the key is no key URI.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// The operating system refused to let the file be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system refused to let the file be written; what was begun has been removed.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key file is never overwritten.
    #[error("`{}` exists already and is never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// No key file is this large.
    #[error("`{}` is larger than the {limit} bytes a key file may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes read.
        limit: usize,
    },
    /// The key was reached, but what was found cannot be used.
    #[error("{key} {flaw}")]
    Unusable {
        /// The key, as [`crate::Signer::describe`] names it.
        key: String,
        /// What is wrong with it.
        flaw: KeyFlaw,
    },
    /// The passphrase of an encrypted key could not be had.
    #[error("{key}: no passphrase")]
    Passphrase {
        /// The key it would have opened.
        key: String,
        /// Why.
        source: PassphraseError,
    },
    /// The key lives where this program cannot reach; another one can.
    #[error("{key} cannot be used by this program; `{program}` can")]
    NotHere {
        /// The key.
        key: String,
        /// The program that can.
        program: &'static str,
    },
    /// The token does not have the key, or failed.
    #[error("{key} cannot be used")]
    Token {
        /// The key.
        key: String,
        /// Why.
        source: Box<TokenError>,
    },
    /// The ssh-agent does not have the key, or failed.
    #[error("{key} cannot be used")]
    Agent {
        /// The key.
        key: String,
        /// Why.
        source: AgentError,
    },
    /// The external signer failed.
    #[error("{key} cannot be used")]
    Exec {
        /// The key.
        key: String,
        /// Why.
        source: ExecError,
    },
    /// A back end that another crate brought failed; see [`crate::Opener`].
    #[error("{key} cannot be used")]
    Other {
        /// The key.
        key: String,
        /// Why; an enum of that crate.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The key is not the one that was expected, for example the one a role lists.
    #[error("{key} is the key {found}, not {expected}")]
    DifferentKey {
        /// The key.
        key: String,
        /// The key expected.
        expected: KeyId,
        /// The key found there.
        found: KeyId,
    },
    /// The key refused to sign.
    #[error("{key}: signing failed")]
    Signing {
        /// The key.
        key: String,
    },
    /// What the key returned does not verify against its public key: a fault, or another key than
    /// the one that was named.
    #[error("{key}: its signature does not verify against its public key {keyid}")]
    BadSignature {
        /// The key.
        key: String,
        /// The public key it should have signed for.
        keyid: KeyId,
    },
    /// Two signers for one document hold the same key; it would count once (TUF 4.2.1).
    #[error("{first} and {second} are the same key {keyid}")]
    SameKey {
        /// The key they share.
        keyid: KeyId,
        /// The signer named first.
        first: String,
        /// The signer named after it.
        second: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
}
