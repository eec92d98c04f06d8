//! The versions that a trust anchor asks for at least: a client that has seen nothing yet has no floor
//! of its own, and a thief of old online keys could show it an old state (DESIGN 4).

use std::collections::BTreeMap;

use metadata::{Role, Root, Snapshot, Timestamp, Version};
use trust::Rejection;

use crate::ClientError;

/// The least version of each role that is asked for. Roles not named may have any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minimum(BTreeMap<Role, Version>);

impl FromIterator<(Role, Version)> for Minimum {
    fn from_iter<T: IntoIterator<Item = (Role, Version)>>(versions: T) -> Self {
        Self(versions.into_iter().collect())
    }
}

impl Minimum {
    /// The roles and their versions.
    pub fn iter(&self) -> impl Iterator<Item = (&Role, Version)> {
        self.0.iter().map(|(role, version)| (role, *version))
    }

    pub(crate) fn check_root(&self, root: &Root) -> Result<(), ClientError> {
        self.check(&Role::Root, root.version)
    }

    pub(crate) fn check_timestamp(&self, timestamp: &Timestamp) -> Result<(), ClientError> {
        self.check(&Role::Timestamp, timestamp.version)
    }

    /// The snapshot itself, and every role it lists.
    pub(crate) fn check_snapshot(&self, snapshot: &Snapshot) -> Result<(), ClientError> {
        self.check(&Role::Snapshot, snapshot.version)?;
        for role in self.0.keys() {
            if matches!(role, Role::Root | Role::Timestamp | Role::Snapshot) {
                continue;
            }
            let listed = snapshot.get(role).ok_or_else(|| Rejection::NotListed {
                role: role.clone(),
                snapshot: snapshot.version,
            })?;
            self.check(role, listed.version)?;
        }
        Ok(())
    }

    fn check(&self, role: &Role, found: Version) -> Result<(), ClientError> {
        match self.0.get(role) {
            Some(minimum) if found < *minimum => Err(ClientError::BelowMinimum {
                role: role.clone(),
                found,
                minimum: *minimum,
            }),
            _ => Ok(()),
        }
    }
}
