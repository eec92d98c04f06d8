//! Signs with keys in AWS KMS. For the online program only: it uses the network.
//!
//! A key is named by `awskms:KEY?region=…&endpoint=…&profile=…` ([`keys::AwsKmsUri`]), where KEY is
//! a key id, `alias/NAME` or the ARN of either. P-256 and RSA keys get the SHA-256 digest of the
//! document, whatever its size; Ed25519 keys get the document itself, of at most
//! [`MAX_RAW_MESSAGE`] bytes. The public key is read once; every signature is verified against it
//! before it is handed out, so that a repointed alias, a wrong salt length or a man in the middle
//! shows here and not at the clients.
//!
//! Everything here was tested against doubles on loopback and against foreign emulators, never
//! against AWS itself.

mod classify;
mod connection;
mod error;
mod http;
mod key;
mod kind;
mod limits;
mod signer;
mod sources;
mod worker;

pub use connection::KmsOptions;
pub use error::KmsError;
pub use key::KmsKey;
pub use limits::{KmsLimits, MAX_RAW_MESSAGE};
pub use signer::{KmsOpener, KmsSigner};
pub use sources::{AwsCaller, AwsSources};
