//! The snapshot is known: every targets role can be verified (TUF 5.6).

use chrono::{DateTime, Utc};
use metadata::{MetaFileRef, Role, Root, Snapshot, Targets, Timestamp};

use super::checks::{check_content, check_expiry, check_version};
use super::rooted::Rooted;
use super::timed::Request;
use crate::verified::{Authority, Envelope, Verified, Vouchers, verify};
use crate::{Rejection, Rules};

/// The snapshot is known and current: from here every targets role can be verified.
pub struct Snapped {
    pub(super) rooted: Rooted,
    pub(super) timestamp: Verified<Timestamp>,
    pub(super) snapshot: Verified<Snapshot>,
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

    fn listed(&self, role: &Role) -> Result<MetaFileRef<'_>, Rejection> {
        let not_listed = || Rejection::NotListed {
            role: role.clone(),
            snapshot: self.snapshot.version,
        };
        self.snapshot.get(role).ok_or_else(not_listed)
    }
}
