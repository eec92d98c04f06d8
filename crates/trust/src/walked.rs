//! Delegated roles already verified, so that a client that looks up many paths verifies each role
//! once and not once a path.
//!
//! What is reused was verified under the very bytes of the same delegator (so by the same keys and
//! threshold) and against an equal snapshot entry; its expiry is checked again each time.

use std::collections::BTreeMap;
use std::sync::Arc;

use metadata::{MetaFile, MetaFileRef, Role, RoleName, Sha256, Targets};

use crate::lookup::{Lookup, Step};
use crate::session::check_expiry;
use crate::{Snapped, Verified};

/// A delegated role as a search has accepted it.
#[derive(Clone)]
pub struct Accepted {
    delegator: Sha256,
    listed: MetaFile,
    role: Arc<Verified<Targets>>,
}

impl Accepted {
    pub(crate) fn new(delegator: Sha256, listed: MetaFile, role: Arc<Verified<Targets>>) -> Self {
        Self {
            delegator,
            listed,
            role,
        }
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> &Arc<Verified<Targets>> {
        &self.role
    }
}

/// Accepted roles, kept over searches and over sessions.
pub struct Walked {
    roles: BTreeMap<RoleName, BTreeMap<Sha256, Accepted>>,
    bytes: usize,
    limit: usize,
}

impl Walked {
    /// Holds roles whose files have at most `limit` bytes together.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            roles: BTreeMap::new(),
            bytes: 0,
            limit,
        }
    }

    /// Keeps a role. When there is no more room, everything kept before is dropped.
    pub fn keep(&mut self, accepted: &Accepted) {
        let Role::Delegated(name) = accepted.role.role() else {
            return;
        };
        let size = accepted.role.file().len();
        if self.bytes + size > self.limit {
            self.roles.clear();
            self.bytes = 0;
        }
        if size > self.limit {
            return;
        }
        // One entry a delegator; an older version of the role makes room.
        let entries = self.roles.entry(name.clone()).or_default();
        let old = entries.insert(accepted.delegator, accepted.clone());
        self.bytes += size;
        self.bytes -= old.map_or(0, |old| old.role.file().len());
    }

    fn get(
        &self,
        snapped: &Snapped,
        delegator: Sha256,
        name: &RoleName,
    ) -> Option<&Arc<Verified<Targets>>> {
        let accepted = self.roles.get(name)?.get(&delegator)?;
        let listed = snapped
            .snapshot()
            .get(&Role::Delegated(name.clone()))
            .is_some_and(|listed| listed == MetaFileRef::from(&accepted.listed));
        let current = check_expiry(&accepted.role, snapped.now()).is_ok();
        (listed && current).then_some(&accepted.role)
    }
}

impl Lookup {
    /// The role that the last [`Lookup::supply`] accepted, if it accepted one.
    #[must_use]
    pub fn accepted(&self) -> Option<&Accepted> {
        self.accepted.as_ref()
    }

    /// Goes on with the role asked for by the last [`Step::Fetch`] if it is among those walked
    /// before; otherwise nothing changes and its file has to be supplied.
    pub fn reuse(&mut self, snapped: &Snapped, walked: &Walked) -> Option<Step> {
        let (frame, next) = self.next_edge()?;
        let delegator = frame.role.sha256();
        let role = Arc::clone(walked.get(snapped, delegator, &next.name)?);
        let next = next.clone();
        self.accepted = None;
        Some(self.take_edge(snapped, next.name, role, next.terminating))
    }

    /// Whether the role asked for by the last [`Step::Fetch`] is a hashed bin: every role that is
    /// delegated by name and comes before the bins has then been walked and lists nothing.
    #[must_use]
    pub fn asks_for_bin(&self) -> bool {
        self.next_edge().is_some_and(|(_, next)| next.bin)
    }
}
