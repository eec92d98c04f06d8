//! Why something is not believed.

use chrono::{DateTime, Utc};
use metadata::{KeyId, MetadataError, Role, TargetPath, Version};

/// A document or file that was refused, with everything needed to say why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The file is not a document of this role.
    #[error("{role} {source}")]
    Malformed {
        /// The role asked for.
        role: Role,
        /// What is wrong with it.
        source: MetadataError,
    },
    /// Well formed, but not as our own repositories write it (see [`crate::Dialect::Strict`]).
    #[error("{role} v{version} {why}")]
    NotStrict {
        /// The role.
        role: Role,
        /// Its version.
        version: Version,
        /// What the strict dialect misses.
        why: String,
    },
    /// Fewer valid signatures by distinct keys than the threshold (TUF 5.3.4, 5.4.2, 5.5.3, 5.6.3).
    #[error(
        "{role} v{version} has {} of {threshold} signatures that {voucher} asks for",
        valid.len()
    )]
    Signatures {
        /// The role.
        role: Role,
        /// Its version, as it claims.
        version: Version,
        /// Whose keys were asked.
        voucher: String,
        /// How many must sign.
        threshold: u32,
        /// Keys whose signature is valid.
        valid: Vec<KeyId>,
        /// Keys of the role without a valid signature.
        missing: Vec<KeyId>,
    },
    /// The expiry lies before the start of this update (TUF 5.3.10, 5.4.4, 5.5.6, 5.6.5).
    #[error("{role} v{version} expired at {at}, it is {now}", at = expires.format("%FT%TZ"), now = now.format("%FT%TZ"))]
    Expired {
        /// The role.
        role: Role,
        /// Its version.
        version: Version,
        /// When it expired.
        expires: DateTime<Utc>,
        /// When this update started.
        now: DateTime<Utc>,
    },
    /// An older version than one already trusted (TUF 5.4.3, 5.5.5).
    #[error("{role} went back from v{trusted} to v{found}")]
    Rollback {
        /// The role.
        role: Role,
        /// The version trusted before.
        trusted: Version,
        /// The version offered.
        found: Version,
    },
    /// Roots are consecutive (TUF 5.3.5).
    #[error("root v{found} was offered where v{expected} follows")]
    RootOutOfOrder {
        /// The version that follows.
        expected: Version,
        /// The version found.
        found: Version,
    },
    /// More new roots in one update than the limit (TUF 5.3.3 Y).
    #[error("more than {limit} new roots in one update")]
    TooManyRoots {
        /// The limit.
        limit: u32,
    },
    /// A role that an earlier snapshot listed is gone (TUF 5.5.5).
    #[error("snapshot v{version} no longer lists `{metapath}`")]
    RoleDropped {
        /// The new snapshot.
        version: Version,
        /// The role's METAPATH.
        metapath: String,
    },
    /// Another version than the one listed (TUF 5.5.4, 5.6.4).
    #[error("{role} is v{found}, but v{listed} is listed")]
    VersionMismatch {
        /// The role.
        role: Role,
        /// The version snapshot or timestamp lists.
        listed: Version,
        /// The version found.
        found: Version,
    },
    /// Other bytes than those listed (TUF 5.5.2, 5.6.2).
    #[error("{role} v{version} has other bytes than {voucher} lists: {why}")]
    ContentMismatch {
        /// The role.
        role: Role,
        /// The version listed.
        version: Version,
        /// Who lists it.
        voucher: Role,
        /// Length or hash.
        why: Mismatch,
    },
    /// The snapshot does not list the role, so no version of it is current.
    #[error("snapshot v{snapshot} does not list {role}")]
    NotListed {
        /// The role asked for.
        role: Role,
        /// The snapshot in force.
        snapshot: Version,
    },
    /// More bytes than the limit for the role (TUF 5.3.3, 5.4.1, 5.5.1, 5.6.1).
    #[error("{role} is larger than {limit} bytes")]
    TooLarge {
        /// The role.
        role: Role,
        /// The limit or the listed length.
        limit: u64,
    },
    /// More roles to visit for one path than the limit (TUF 5.6.7.1).
    #[error("looking for `{path}` would visit more than {limit} roles")]
    TooManyRoles {
        /// The path.
        path: TargetPath,
        /// The limit.
        limit: usize,
    },
    /// Other bytes than those the role lists for a target (TUF 5.7.3).
    #[error("`{path}` is not the file {role} lists: {why}")]
    TargetMismatch {
        /// The path.
        path: TargetPath,
        /// The role that lists it.
        role: Role,
        /// Length or hash.
        why: Mismatch,
    },
}

/// In what bytes differ from their description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The length.
    #[error("length {found} instead of {listed}")]
    Length {
        /// Bytes listed.
        listed: u64,
        /// Bytes found.
        found: u64,
    },
    /// Longer than listed; how much is not known, reading stopped.
    #[error("longer than {listed} bytes")]
    Longer {
        /// Bytes listed.
        listed: u64,
    },
    /// A hash.
    #[error("the hash differs")]
    Hash,
}
