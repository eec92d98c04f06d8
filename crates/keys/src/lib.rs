//! Signers without network. The only crate that sees private keys.
//!
//! A key is named by a [`KeyUri`], opened with [`KeyUri::open`], reached through a [`Signer`], and
//! never leaves this crate: what callers get are public keys and signatures, each of them verified
//! before it is handed out.
//!
//! Passphrases, seeds and scalars lie in memory that is not swapped where the system permits, and
//! are wiped when dropped. `ring`'s key pairs and the key derivations make no such promise, so
//! processes that sign should be short-lived and call [`forbid_core_dumps`] first thing.

mod check;
mod container;
mod error;
mod exec;
mod file_key;
mod formats;
mod kdf;
mod open;
mod passphrase;
mod passphrase_source;
mod pem;
mod pkcs11;
mod private;
mod process;
mod public;
mod role_use;
mod secret;
mod secret_file;
mod signer;
mod sigstore;
mod ssh;
mod storage;
mod uri;
mod warning;
mod words;

pub use check::SignatureCheck;
pub use error::{AgentError, ExecError, KeyError, KeyFlaw, PassphraseError, UriError};
pub use file_key::{FileKey, KeyType};
pub use kdf::Kdf;
pub use open::{ChildLog, LoadOptions, OpenedSigner, Opener};
pub use passphrase::{MAX_PASSPHRASE, Passphrase};
pub use passphrase_source::{
    NoPassphrase, PassphraseCredential, PassphraseFd, PassphraseFile, PassphraseSource,
};
pub use pkcs8::ObjectIdentifier;
pub use pkcs11::{
    NewTokenKey, ObjectName, PinState, Pkcs11Key, Pkcs11Options, Pkcs11Uri, TokenError, TokenInfo,
    TokenKey, TokenKeyType, TokenKeys, list_token_keys, show_token_key,
};
pub use process::forbid_core_dumps;
pub use public::{public_key_from_pem, public_key_to_pem};
pub use role_use::{DelegationServed, check, delegations_served, require_key, roles_served};
pub use signer::{Signer, sign_document};
pub use ssh::{HeldByAgent, list_agent_keys};
pub use storage::{LoadedKey, MAX_KEY_FILE};
pub use uri::{AgentKey, AwsKmsUri, ExecCommand, ExecUri, KeyUri};
pub use warning::KeyWarning;
pub use words::{fingerprint_hex, fingerprint_words, key_fingerprint};
