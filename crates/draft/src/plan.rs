//! What an online cycle has to do: pure, so that every moment of an index's life can be tested.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use index::BinIndex;
use policy::Policy;

use crate::first_bin_expiry;

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
    /// `recently-claimed`, where developers sign and it was ever signed.
    pub recently_claimed: Option<RoleState>,
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
    /// Whether these give projects another delegator, other keys, or back to the index.
    pub projects_move: bool,
    /// Whether roles that developers have signed come with the changes.
    pub project_roles: bool,
    /// Whether `recently-claimed` has to be signed whatever its age.
    pub recently_claimed: NeedOfSignature,
    /// Bins that must be signed whatever their age: those nobody has signed yet, or all of them when
    /// the key or the number of bins changes.
    pub unsigned_bins: BTreeSet<BinIndex>,
}

/// Whether a role has to be signed whatever its age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NeedOfSignature {
    /// What is published will do.
    #[default]
    None,
    /// With the waiting changes, which give it another content.
    WithChanges,
    /// At once: nobody has signed it yet, or other keys have.
    Now,
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
    /// Whether to sign `recently-claimed`.
    pub recently_claimed: Option<Reason>,
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
    // At the very moment that `next` named, so that whoever slept until then finds work.
    let due = |state: &RoleState, lifetime: TimeDelta| {
        state.expires - now <= policy.online.renew_below(lifetime)
    };
    let mut plan = Plan {
        // What offline roles do to projects takes effect in the same snapshot.
        take_changes: pending.projects_move
            || (pending.changes > 0 && (at_once || batch_is_full(now, policy, pending))),
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
    let needed = match pending.recently_claimed {
        NeedOfSignature::None => false,
        NeedOfSignature::WithChanges => plan.take_changes,
        NeedOfSignature::Now => true,
    };
    plan.recently_claimed = match (needed, policy.claims.as_ref(), head.recently_claimed) {
        (true, _, _) => Some(Reason::Changed),
        (false, Some(claims), Some(state)) => {
            due(&state, claims.recently_claimed.lifetime).then_some(Reason::Due)
        }
        (false, _, _) => None,
    };
    let contents = !plan.bins.is_empty()
        || plan.take_offline_roles
        || plan.recently_claimed.is_some()
        || (plan.take_changes && pending.project_roles);
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

/// The earliest moment at which, this plan carried out, some role is due or the batch has waited
/// long enough. Always after `now`.
fn next(
    now: DateTime<Utc>,
    head: &Head,
    policy: &Policy,
    pending: &Pending,
    plan: &Plan,
) -> Option<DateTime<Utc>> {
    let roles = &policy.roles;
    let due_at = |expires, lifetime| expires - policy.online.renew_below(lifetime);
    let role = |state: Option<&RoleState>, lifetime: TimeDelta, signed: bool| {
        let expires = if signed {
            Some(now + lifetime)
        } else {
            state.map(|state| state.expires)
        };
        expires.map(|expires| due_at(expires, lifetime))
    };
    let bin_lifetime = roles.bin_n.lifetime;
    let bins = head
        .bins
        .iter()
        .filter_map(|(bin, state)| role(Some(state), bin_lifetime, plan.bins.contains_key(bin)));
    // Those signed for the first time may get less than a whole lifetime.
    let first = plan
        .bins
        .keys()
        .filter(|bin| !head.bins.contains_key(bin))
        .map(|bin| due_at(first_bin_expiry(now, policy, *bin), bin_lifetime));
    let snapshot = role(
        head.snapshot.as_ref(),
        roles.snapshot.lifetime,
        plan.snapshot.is_some(),
    );
    let timestamp = role(
        head.timestamp.as_ref(),
        roles.timestamp.lifetime,
        plan.timestamp.is_some(),
    );
    let recently_claimed = policy.claims.as_ref().and_then(|claims| {
        role(
            head.recently_claimed.as_ref(),
            claims.recently_claimed.lifetime,
            plan.recently_claimed.is_some(),
        )
    });
    let waiting = pending.changes > 0 && !plan.take_changes;
    let oldest = pending.oldest.filter(|_| waiting);
    let batch = oldest.map(|oldest| oldest + policy.online.batch_wait);
    bins.chain(first)
        .chain(snapshot)
        .chain(timestamp)
        .chain(recently_claimed)
        .chain(batch)
        .min()
}
