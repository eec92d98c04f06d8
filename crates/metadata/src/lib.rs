//! TUF documents: parse, canonical bytes, print.
//!
//! Pure: no file, network, clock, randomness or async. Parsing here says what a document *states*;
//! whether it may be *believed* is decided in `trust` alone.

pub mod canonical;
mod delegation;
mod digest;
mod document;
mod error;
mod expiry;
mod hashes;
mod key;
mod members;
mod meta_list;
mod path;
mod path_set;
mod role;
mod root;
mod snapshot;
mod targets;
mod timestamp;
mod unverified;
mod value;
mod verifying;
mod version;
mod wire;

pub use delegation::{DelegatedRole, DelegatedRoles, Delegations, SuccinctRoles};
pub use digest::{Sha256, Sha256Stream};
pub use document::{Document, SPEC_VERSION};
pub use error::{JsonFlaw, MetadataError};
pub use expiry::Expiry;
pub use hashes::{HashCheck, Hashes};
pub use key::{KeyId, PublicKey};
pub use meta_list::MetaFileRef;
pub use path::{MAX_TARGET_PATH, TargetPath};
pub use path_set::{PathPattern, PathSet};
pub use role::{MAX_ROLE_NAME, Role, RoleName};
pub use root::{RoleKeys, Root};
pub use snapshot::{MetaFile, Snapshot};
pub use targets::{TargetFile, Targets};
pub use timestamp::Timestamp;
pub use unverified::UnverifiedSignature;
pub use value::Value;
pub use verifying::{KeyIdentity, VerifyingKey};
pub use version::Version;
pub use wire::{Signature, Wire};
