//! Of which kind a failure is: programs exit by the kind, people read the message.

use metadata::Role;
use trust::Rejection;

/// What kind of failure it is: the exit code of programs, the short word of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Other bytes than those listed, or bytes that are no metadata.
    Digest,
    /// Too few valid signatures.
    Signatures,
    /// Expired: the repository is frozen, or somebody freezes it.
    Expired,
    /// Older than what was seen before.
    Rollback,
    /// Nobody signs it.
    NotSigned,
    /// Nothing could be fetched.
    Network,
    /// Beyond a limit, or not to the letter asked for.
    Refused,
    /// This machine's own files.
    Local,
}

impl Kind {
    /// The exit code of programs.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Digest => 10,
            Self::Signatures => 11,
            Self::Expired => 12,
            Self::Rollback => 13,
            Self::NotSigned => 14,
            Self::Network => 20,
            Self::Refused | Self::Local => 1,
        }
    }

    /// One word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Digest => "mismatch",
            Self::Signatures => "signatures",
            Self::Expired => "expired",
            Self::Rollback => "rollback",
            Self::NotSigned => "not-signed",
            Self::Network => "unreachable",
            Self::Refused => "refused",
            Self::Local => "local",
        }
    }

    /// The kind of a rejection.
    #[must_use]
    pub fn of(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::Malformed { .. }
            | Rejection::VersionMismatch { .. }
            | Rejection::ContentMismatch { .. }
            | Rejection::TooLarge { .. }
            | Rejection::TargetMismatch { .. } => Self::Digest,
            Rejection::Signatures { .. } => Self::Signatures,
            Rejection::Expired { .. } => Self::Expired,
            Rejection::Rollback { .. }
            | Rejection::RootOutOfOrder { .. }
            | Rejection::RoleDropped { .. } => Self::Rollback,
            Rejection::NotListed { .. } => Self::NotSigned,
            Rejection::NotStrict { .. }
            | Rejection::TooManyRoots { .. }
            | Rejection::TooManyRoles { .. } => Self::Refused,
        }
    }
}

/// The role that a rejection is about.
pub(crate) fn role_of(rejection: &Rejection) -> Option<&Role> {
    match rejection {
        Rejection::Malformed { role, .. }
        | Rejection::NotStrict { role, .. }
        | Rejection::Signatures { role, .. }
        | Rejection::Expired { role, .. }
        | Rejection::Rollback { role, .. }
        | Rejection::VersionMismatch { role, .. }
        | Rejection::ContentMismatch { role, .. }
        | Rejection::NotListed { role, .. }
        | Rejection::TooLarge { role, .. }
        | Rejection::TargetMismatch { role, .. } => Some(role),
        Rejection::RootOutOfOrder { .. } | Rejection::TooManyRoots { .. } => Some(&Role::Root),
        Rejection::RoleDropped { .. } => Some(&Role::Snapshot),
        Rejection::TooManyRoles { .. } => None,
    }
}
