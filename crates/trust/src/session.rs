//! One update of a client, in the order of TUF 5: a wrong order does not compile.
//!
//! ```compile_fail,E0599
//! # use countersign_trust::{RootChain, Rules};
//! // No timestamp before the root chain is closed.
//! let chain = RootChain::pinned(b"", Rules::default()).unwrap();
//! chain.timestamp(b"", Default::default());
//! ```
//!
//! ```compile_fail,E0599
//! # fn wrong(timed: countersign_trust::Timed) {
//! // No targets before the snapshot.
//! timed.targets(b"");
//! # }
//! ```
//!
//! The right order, for comparison:
//!
//! ```
//! # use countersign_trust::{Held, Rejection, RootChain, Rules};
//! # fn update(root: &[u8], timestamp: &[u8], snapshot: &[u8], targets: &[u8],
//! #     now: chrono::DateTime<chrono::Utc>) -> Result<(), Rejection> {
//! let snapped = RootChain::pinned(root, Rules::default())?
//!     .close(now)?
//!     .timestamp(timestamp, Held::default())?
//!     .snapshot(snapshot)?;
//! let targets = snapped.targets(targets)?;
//! # Ok(())
//! # }
//! ```

use chrono::{DateTime, Utc};
use metadata::{Document, MetaFile, Role, Root, Snapshot, Targets, Timestamp, Version};

use crate::verified::{Authority, Envelope, Verified, Vouchers, verify};
use crate::{Mismatch, Rejection, Rules};

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
    root: Verified<Root>,
    rules: Rules,
    now: DateTime<Utc>,
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

    fn top_level<R: Document>(
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
    rooted: Rooted,
    timestamp: Verified<Timestamp>,
    is_held: bool,
    held_snapshot: Option<Verified<Snapshot>>,
    void: bool,
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

    /// Goes on with the held snapshot where it is the very one the timestamp names; otherwise
    /// gives the state back, so that the snapshot can be fetched.
    pub fn held_snapshot(mut self) -> Result<Snapped, Box<Self>> {
        let Some(held) = self.held_snapshot.take() else {
            return Err(Box::new(self));
        };
        let current = check_content(
            &Role::Snapshot,
            &Role::Timestamp,
            &self.timestamp.snapshot,
            held.file(),
        )
        .and_then(|()| check_version(&held, &self.timestamp.snapshot))
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
            is_held: true,
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
        check_content(&Role::Snapshot, &Role::Timestamp, listed, file)?;
        let snapshot: Verified<Snapshot> = rooted.top_level(Role::Snapshot, file, limit)?;
        check_version(&snapshot, listed)?;
        if let Some(held) = &held_snapshot {
            check_no_step_back(held, &snapshot)?;
        }
        check_expiry(&snapshot, rooted.now)?;
        Ok(Snapped {
            rooted,
            timestamp,
            snapshot,
            is_held: false,
        })
    }
}

/// TUF 5.5.5.
fn check_no_step_back(held: &Snapshot, new: &Snapshot) -> Result<(), Rejection> {
    for (metapath, trusted) in held.entries() {
        let Some(found) = new.by_metapath(metapath) else {
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

/// The snapshot is known and current: from here every targets role can be verified.
pub struct Snapped {
    rooted: Rooted,
    timestamp: Verified<Timestamp>,
    snapshot: Verified<Snapshot>,
    is_held: bool,
}

impl Snapped {
    /// The root in force.
    #[must_use]
    pub fn root(&self) -> &Verified<Root> {
        &self.rooted.root
    }

    /// The timestamp in force.
    #[must_use]
    pub fn timestamp(&self) -> &Verified<Timestamp> {
        &self.timestamp
    }

    /// The snapshot in force.
    #[must_use]
    pub fn snapshot(&self) -> &Verified<Snapshot> {
        &self.snapshot
    }

    /// Whether the snapshot is the held one.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// The time fixed for this update (TUF 5.1).
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.rooted.now
    }

    /// The limits and dialect of this update.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rooted.rules
    }

    /// What to ask for to get a targets role; a role the snapshot does not list is not asked for.
    pub fn request(&self, role: &Role) -> Result<Request, Rejection> {
        let listed = self.listed(role)?;
        let limits = &self.rooted.rules.limits;
        let limit = listed
            .length
            .map_or(limits.targets, |length| length.min(limits.listed));
        Ok(Request {
            role: role.clone(),
            version: listed.version,
            limit,
        })
    }

    /// Takes the top-level targets role (TUF 5.6).
    pub fn targets(&self, file: &[u8]) -> Result<Verified<Targets>, Rejection> {
        let root = &self.rooted.root;
        let authority = Authority::new("root", &root.keys, &root.targets);
        self.targets_role(&Role::Targets, authority, file)
    }

    /// Takes a delegated role: the same checks, by the keys its delegator lists (TUF 5.6.7).
    pub fn delegate(
        &self,
        edge: &crate::Edge<'_>,
        file: &[u8],
    ) -> Result<Verified<Targets>, Rejection> {
        let role = Role::Delegated(edge.name().clone());
        self.targets_role(&role, edge.authority(), file)
    }

    fn targets_role(
        &self,
        role: &Role,
        authority: Authority<'_>,
        file: &[u8],
    ) -> Result<Verified<Targets>, Rejection> {
        let listed = self.listed(role)?;
        check_content(role, &Role::Snapshot, listed, file)?;
        let limit = self.request(role)?.limit;
        let envelope = Envelope::parse(role.clone(), file, limit, &self.rooted.rules)?;
        let targets = verify(envelope, &Vouchers::Delegator(authority))?;
        check_version(&targets, listed)?;
        check_expiry(&targets, self.rooted.now)?;
        Ok(targets)
    }

    fn listed(&self, role: &Role) -> Result<&MetaFile, Rejection> {
        let not_listed = || Rejection::NotListed {
            role: role.clone(),
            snapshot: self.snapshot.version,
        };
        self.snapshot.get(role).ok_or_else(not_listed)
    }
}

/// Length and hashes, where listed (TUF 5.5.2, 5.6.2).
fn check_content(
    role: &Role,
    voucher: &Role,
    listed: &MetaFile,
    file: &[u8],
) -> Result<(), Rejection> {
    let mismatch = |why| {
        let (role, voucher) = (role.clone(), voucher.clone());
        Err(Rejection::ContentMismatch {
            role,
            version: listed.version,
            voucher,
            why,
        })
    };
    if let Some(length) = listed.length
        && length != file.len() as u64
    {
        return mismatch(Mismatch::Length {
            listed: length,
            found: file.len() as u64,
        });
    }
    if let Some(hashes) = &listed.hashes
        && !hashes.fit(file)
    {
        return mismatch(Mismatch::Hash);
    }
    Ok(())
}

fn check_version<R: Document>(found: &Verified<R>, listed: &MetaFile) -> Result<(), Rejection> {
    if found.version() == listed.version {
        return Ok(());
    }
    Err(Rejection::VersionMismatch {
        role: found.role().clone(),
        listed: listed.version,
        found: found.version(),
    })
}

pub(crate) fn check_expiry<R: Document>(
    document: &Verified<R>,
    now: DateTime<Utc>,
) -> Result<(), Rejection> {
    if !document.expires().has_passed(now) {
        return Ok(());
    }
    Err(Rejection::Expired {
        role: document.role().clone(),
        version: document.version(),
        expires: document.expires().instant(),
        now,
    })
}
