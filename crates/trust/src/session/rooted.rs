//! The newest root is known; next comes the timestamp (TUF 5.4).

use chrono::{DateTime, Utc};
use metadata::{Document, Role, Root, Snapshot, Timestamp};

use super::checks::check_expiry;
use super::timed::Timed;
use crate::verified::{Authority, Envelope, Verified, Vouchers, verify};
use crate::{Rejection, Rules};

/// What a client kept from its last update, as bytes; verified again before it counts.
#[derive(Clone, Copy, Default)]
pub struct Held<'a> {
    /// The timestamp file.
    pub timestamp: Option<&'a [u8]>,
    /// The snapshot file.
    pub snapshot: Option<&'a [u8]>,
}

/// The newest root is known and current.
pub struct Rooted {
    pub(super) root: Verified<Root>,
    pub(super) rules: Rules,
    pub(super) now: DateTime<Utc>,
}

impl Rooted {
    /// The root in force.
    #[must_use]
    pub fn root(&self) -> &Verified<Root> {
        &self.root
    }

    /// Takes the timestamp (TUF 5.4). One of the held version leaves the held one in force and is no
    /// error; an older one, or one that names an older snapshot, is a rollback.
    pub fn timestamp(self, file: &[u8], held: Held<'_>) -> Result<Timed, Rejection> {
        let Floors {
            timestamp: held_timestamp,
            snapshot: held_snapshot,
            void,
        } = self.floors(held);
        let offered: Verified<Timestamp> =
            self.top_level(Role::Timestamp, file, self.rules.limits.timestamp)?;
        let (timestamp, is_held) = match held_timestamp {
            Some(held) => choose_timestamp(offered, held)?,
            None => (offered, false),
        };
        check_expiry(&timestamp, self.now)?;
        Ok(Timed {
            rooted: self,
            timestamp,
            is_held,
            held_snapshot,
            void,
        })
    }

    /// What of the held files still counts. A signature that no longer holds means that the keys
    /// were rotated: then both floors go (TUF 5.3.11). A damaged snapshot alone lowers no timestamp
    /// floor.
    fn floors(&self, held: Held<'_>) -> Floors {
        let limits = &self.rules.limits;
        let timestamp = held
            .timestamp
            .map(|file| self.top_level(Role::Timestamp, file, limits.timestamp));
        let snapshot = held
            .snapshot
            .map(|file| self.top_level(Role::Snapshot, file, limits.listed));
        let rotated = matches!(timestamp, Some(Err(Rejection::Signatures { .. })))
            || matches!(snapshot, Some(Err(Rejection::Signatures { .. })));
        if rotated {
            return Floors {
                timestamp: None,
                snapshot: None,
                void: true,
            };
        }
        Floors {
            timestamp: timestamp.and_then(Result::ok),
            snapshot: snapshot.and_then(Result::ok),
            void: false,
        }
    }

    pub(super) fn top_level<R: Document>(
        &self,
        role: Role,
        file: &[u8],
        limit: u64,
    ) -> Result<Verified<R>, Rejection> {
        let role_keys = match role {
            Role::Timestamp => &self.root.timestamp,
            Role::Snapshot => &self.root.snapshot,
            Role::Root => &self.root.root,
            Role::Targets | Role::Delegated(_) => &self.root.targets,
        };
        let envelope = Envelope::parse(role, file, limit, &self.rules)?;
        verify(
            envelope,
            &Vouchers::Delegator(Authority::new("root", &self.root.keys, role_keys)),
        )
    }
}

/// What of the held files still counts.
struct Floors {
    timestamp: Option<Verified<Timestamp>>,
    snapshot: Option<Verified<Snapshot>>,
    void: bool,
}

/// TUF 5.4.3: never back; an equal version keeps the held one (reference X9).
fn choose_timestamp(
    offered: Verified<Timestamp>,
    held: Verified<Timestamp>,
) -> Result<(Verified<Timestamp>, bool), Rejection> {
    let rollback = |role, trusted, found| {
        Err(Rejection::Rollback {
            role,
            trusted,
            found,
        })
    };
    if offered.version < held.version {
        return rollback(Role::Timestamp, held.version, offered.version);
    }
    if offered.version == held.version {
        return Ok((held, true));
    }
    if offered.snapshot.version < held.snapshot.version {
        return rollback(
            Role::Snapshot,
            held.snapshot.version,
            offered.snapshot.version,
        );
    }
    Ok((offered, false))
}
