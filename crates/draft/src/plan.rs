//! What an online cycle has to do: pure, so that every moment of an index's life can be tested.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use index::BinIndex;
use policy::Policy;

/// What is known of a published role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleState {
    /// When it expires.
    pub expires: DateTime<Utc>,
}

/// What is published now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The bins, if any was ever signed.
    pub bins: BTreeMap<BinIndex, RoleState>,
    /// The snapshot, if there is one.
    pub snapshot: Option<RoleState>,
    /// The timestamp, if there is one.
    pub timestamp: Option<RoleState>,
}

/// What waits to be published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Changes accepted and not published.
    pub changes: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<DateTime<Utc>>,
    /// The bins they touch.
    pub bins: BTreeSet<BinIndex>,
    /// Whether offline-signed roles wait to be applied.
    pub offline_roles: bool,
    /// Bins that must be signed whatever their age: those nobody has signed yet, or all of them when
    /// the key or the number of bins changes.
    pub unsigned_bins: BTreeSet<BinIndex>,
}

/// Why something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its content changes.
    Changed,
    /// Less than half of its life is left (policy `online.renew_below_percent`).
    Due,
}

/// One cycle's work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Whether the waiting changes are taken up.
    pub take_changes: bool,
    /// Whether the waiting offline-signed roles are taken up.
    pub take_offline_roles: bool,
    /// Bins to sign.
    pub bins: BTreeMap<BinIndex, Reason>,
    /// Whether to sign a snapshot.
    pub snapshot: Option<Reason>,
    /// Whether to sign a timestamp.
    pub timestamp: Option<Reason>,
    /// When the next cycle has something to do, if nothing new comes in.
    pub next: Option<DateTime<Utc>>,
}

impl Plan {
    /// Whether there is nothing to do: then nothing is written.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.timestamp.is_none()
    }
}

/// Decides one cycle. `at_once` takes up waiting changes without waiting for others to share a
/// snapshot with.
#[must_use]
pub fn plan(
    now: DateTime<Utc>,
    head: &Head,
    policy: &Policy,
    pending: &Pending,
    at_once: bool,
) -> Plan {
    let roles = &policy.roles;
    let due = |state: &RoleState, lifetime: TimeDelta| {
        state.expires - now < policy.online.renew_below(lifetime)
    };
    let mut plan = Plan {
        take_changes: pending.changes > 0 && (at_once || batch_is_full(now, policy, pending)),
        take_offline_roles: pending.offline_roles,
        ..Plan::default()
    };
    for (bin, state) in &head.bins {
        if due(state, roles.bin_n.lifetime) {
            plan.bins.insert(*bin, Reason::Due);
        }
    }
    let changed = if plan.take_changes {
        Some(&pending.bins)
    } else {
        None
    };
    for bin in pending
        .unsigned_bins
        .iter()
        .chain(changed.into_iter().flatten())
    {
        plan.bins.insert(*bin, Reason::Changed);
    }
    let sign = |state: Option<&RoleState>, lifetime, content_changes: bool| match state {
        _ if content_changes => Some(Reason::Changed),
        None => Some(Reason::Changed),
        Some(state) => due(state, lifetime).then_some(Reason::Due),
    };
    let contents = !plan.bins.is_empty() || plan.take_offline_roles;
    plan.snapshot = sign(head.snapshot.as_ref(), roles.snapshot.lifetime, contents);
    plan.timestamp = sign(
        head.timestamp.as_ref(),
        roles.timestamp.lifetime,
        plan.snapshot.is_some(),
    );
    plan.next = next(now, head, policy, pending, &plan);
    plan
}

fn batch_is_full(now: DateTime<Utc>, policy: &Policy, pending: &Pending) -> bool {
    let waited = pending
        .oldest
        .is_none_or(|oldest| now - oldest >= policy.online.batch_wait);
    waited || pending.changes >= u64::from(policy.online.batch_changes)
}

/// The earliest moment at which some role is due or the batch has waited long enough.
fn next(
    now: DateTime<Utc>,
    head: &Head,
    policy: &Policy,
    pending: &Pending,
    plan: &Plan,
) -> Option<DateTime<Utc>> {
    let roles = &policy.roles;
    let due_at = |state: &RoleState, lifetime: TimeDelta, signed: bool| {
        let expires = if signed {
            now + lifetime
        } else {
            state.expires
        };
        expires - policy.online.renew_below(lifetime)
    };
    let bins = head
        .bins
        .iter()
        .map(|(bin, state)| due_at(state, roles.bin_n.lifetime, plan.bins.contains_key(bin)));
    let snapshot = head
        .snapshot
        .iter()
        .map(|state| due_at(state, roles.snapshot.lifetime, plan.snapshot.is_some()));
    let timestamp = head
        .timestamp
        .iter()
        .map(|state| due_at(state, roles.timestamp.lifetime, plan.timestamp.is_some()));
    let batch = (pending.changes > 0 && !plan.take_changes)
        .then(|| {
            pending
                .oldest
                .map(|oldest| oldest + policy.online.batch_wait)
        })
        .flatten();
    bins.chain(snapshot).chain(timestamp).chain(batch).min()
}
