//! The chain of roots (TUF 5.2, 5.3).

use chrono::{DateTime, Utc};
use metadata::{Role, Root, Version};

use super::checks::check_expiry;
use super::rooted::Rooted;
use crate::verified::{Authority, Envelope, Verified, Vouchers, verify};
use crate::{Rejection, Rules};

/// The chain of roots, from the one that is pinned to the newest (TUF 5.2, 5.3).
pub struct RootChain {
    root: Verified<Root>,
    rules: Rules,
    rotations: u32,
}

impl RootChain {
    /// Starts from a trusted root. It must be signed by its own keys; its expiry does not matter.
    pub fn pinned(file: &[u8], rules: Rules) -> Result<Self, Rejection> {
        let envelope = Envelope::parse(Role::Root, file, rules.limits.root, &rules)?;
        let root = verify(envelope, &Vouchers::Itself(own_root_keys))?;
        Ok(Self {
            root,
            rules,
            rotations: 0,
        })
    }

    /// Follows with the next root: signed by the old and the new keys, version exactly +1
    /// (TUF 5.3.4, 5.3.5).
    pub fn advance(self, file: &[u8]) -> Result<Self, Rejection> {
        let Self {
            root: current,
            rules,
            rotations,
        } = self;
        let limit = rules.limits.root_rotations;
        if rotations >= limit {
            return Err(Rejection::TooManyRoots { limit });
        }
        let envelope = Envelope::<Root>::parse(Role::Root, file, rules.limits.root, &rules)?;
        let previous = Authority::new("the previous root", &current.keys, &current.root);
        let next = verify(envelope, &Vouchers::Both(previous, own_root_keys))?;
        let expected = next_version(current.version)?;
        if next.version != expected {
            return Err(Rejection::RootOutOfOrder {
                expected,
                found: next.version,
            });
        }
        Ok(Self {
            root: next,
            rules,
            rotations: rotations + 1,
        })
    }

    /// The newest root so far.
    #[must_use]
    pub fn root(&self) -> &Verified<Root> {
        &self.root
    }

    /// The version to ask for next.
    pub fn next_version(&self) -> Result<Version, Rejection> {
        next_version(self.root.version)
    }

    /// Ends the chain. `now` becomes the time of the whole update (TUF 5.1); the newest root must
    /// not have expired (TUF 5.3.10).
    pub fn close(self, now: DateTime<Utc>) -> Result<Rooted, Rejection> {
        check_expiry(&self.root, now)?;
        Ok(Rooted {
            root: self.root,
            rules: self.rules,
            now,
        })
    }
}

fn own_root_keys(root: &Root) -> Authority<'_> {
    Authority::new("the root itself", &root.keys, &root.root)
}

fn next_version(version: Version) -> Result<Version, Rejection> {
    version.next().map_err(|source| Rejection::Malformed {
        role: Role::Root,
        source,
    })
}
