//! The timestamp is known; next comes the snapshot (TUF 5.5).

use metadata::{Role, Snapshot, Timestamp, Version};

use super::checks::{check_content, check_expiry, check_verified, check_version};
use super::rooted::Rooted;
use super::snapped::Snapped;
use crate::Rejection;
use crate::verified::Verified;

/// What to ask for, and how much to accept at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The role.
    pub role: Role,
    /// The version in force.
    pub version: Version,
    /// Bytes after which to stop reading.
    pub limit: u64,
}

/// The timestamp is known and current.
pub struct Timed {
    pub(super) rooted: Rooted,
    pub(super) timestamp: Verified<Timestamp>,
    pub(super) is_held: bool,
    pub(super) held_snapshot: Option<Verified<Snapshot>>,
    pub(super) void: bool,
}

impl Timed {
    /// The timestamp in force.
    #[must_use]
    pub fn timestamp(&self) -> &Verified<Timestamp> {
        &self.timestamp
    }

    /// Whether that is the held one, so that nothing need be stored.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether the held timestamp and snapshot are void because keys of theirs were rotated. The
    /// held snapshot is then deleted before this timestamp is stored, so that an update that breaks
    /// off does not leave half of the old floors (TUF 5.3.11).
    #[must_use]
    pub fn voids_held(&self) -> bool {
        self.void
    }

    /// The snapshot to ask for.
    #[must_use]
    pub fn snapshot_request(&self) -> Request {
        let listed = &self.timestamp.snapshot;
        let limits = &self.rooted.rules.limits;
        let limit = listed
            .length
            .map_or(limits.snapshot, |length| length.min(limits.listed));
        Request {
            role: Role::Snapshot,
            version: listed.version,
            limit,
        }
    }

    /// The snapshot held from before, where it still counts: what a delta to the new one starts from (decision 0021).
    #[must_use]
    pub fn held(&self) -> Option<&Verified<Snapshot>> {
        self.held_snapshot.as_ref()
    }

    /// Goes on with the held snapshot where it is the very one the timestamp names; otherwise
    /// gives the state back, so that the snapshot can be fetched.
    pub fn held_snapshot(mut self) -> Result<Snapped, Box<Self>> {
        let Some(held) = self.held_snapshot.take() else {
            return Err(Box::new(self));
        };
        let listed = (&self.timestamp.snapshot).into();
        let current = check_verified(&Role::Timestamp, listed, &held)
            .and_then(|()| check_version(&held, listed))
            .and_then(|()| check_expiry(&held, self.rooted.now));
        if current.is_err() {
            self.held_snapshot = Some(held);
            return Err(Box::new(self));
        }
        let Self {
            rooted, timestamp, ..
        } = self;
        Ok(Snapped {
            rooted,
            timestamp,
            snapshot: held,
        })
    }

    /// Takes the snapshot (TUF 5.5): the bytes and version the timestamp names, nothing the held one
    /// lists dropped or set back.
    pub fn snapshot(self, file: &[u8]) -> Result<Snapped, Rejection> {
        let Self {
            rooted,
            timestamp,
            held_snapshot,
            ..
        } = self;
        let listed = &timestamp.snapshot;
        let limit = listed
            .length
            .map_or(rooted.rules.limits.snapshot, |_| rooted.rules.limits.listed);
        check_content(&Role::Snapshot, &Role::Timestamp, listed.into(), file)?;
        let snapshot: Verified<Snapshot> = rooted.top_level(Role::Snapshot, file, limit)?;
        check_version(&snapshot, listed.into())?;
        if let Some(held) = &held_snapshot {
            check_no_step_back(held, &snapshot)?;
        }
        check_expiry(&snapshot, rooted.now)?;
        Ok(Snapped {
            rooted,
            timestamp,
            snapshot,
        })
    }
}

/// TUF 5.5.5.
fn check_no_step_back(held: &Snapshot, new: &Snapshot) -> Result<(), Rejection> {
    // Both lists ascend by METAPATH.
    let mut listed = new.entries().peekable();
    for (metapath, trusted) in held.entries() {
        while listed.next_if(|(new, _)| *new < metapath).is_some() {}
        let Some((_, found)) = listed.next_if(|(new, _)| *new == metapath) else {
            let metapath = metapath.to_owned();
            return Err(Rejection::RoleDropped {
                version: new.version,
                metapath,
            });
        };
        if found.version < trusted.version {
            let name = metapath.trim_end_matches(".json");
            // The name was checked when the snapshot was parsed.
            let role = Role::parse(name).unwrap_or(Role::Targets);
            return Err(Rejection::Rollback {
                role,
                trusted: trusted.version,
                found: found.version,
            });
        }
    }
    Ok(())
}
