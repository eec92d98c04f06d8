//! Whole lives of an index, in steps of any length.

use index::BinCount;
use proptest::prelude::*;

use super::*;

fn policy(renew_below_percent: u32) -> Policy {
    let mut policy = crate::lints::samples::developers_sign();
    policy.online.renew_below_percent = renew_below_percent;
    policy
}

fn start() -> DateTime<Utc> {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn bins() -> BinCount {
    BinCount::new(16).unwrap()
}

fn shortest(policy: &Policy) -> TimeDelta {
    let roles = &policy.roles;
    let others = roles.snapshot.lifetime.min(roles.timestamp.lifetime);
    roles.bin_n.lifetime.min(others)
}

/// Nothing signed yet, everything waiting to be.
fn before_the_first_cycle() -> (Head, Pending) {
    let pending = Pending {
        unsigned_bins: bins().bins().collect(),
        offline_roles: true,
        recently_claimed: NeedOfSignature::Now,
        ..Pending::default()
    };
    (Head::default(), pending)
}

/// What carrying out a plan leads to.
fn carry_out(
    now: DateTime<Utc>,
    policy: &Policy,
    plan: &Plan,
    head: &mut Head,
    pending: &mut Pending,
) {
    let roles = &policy.roles;
    for bin in plan.bins.keys() {
        let expires = if head.bins.contains_key(bin) {
            now + roles.bin_n.lifetime
        } else {
            first_bin_expiry(now, policy, *bin)
        };
        head.bins.insert(*bin, RoleState { expires });
        pending.unsigned_bins.remove(bin);
    }
    if plan.recently_claimed.is_some() {
        let lifetime = policy.claims.as_ref().unwrap().recently_claimed.lifetime;
        let expires = now + lifetime;
        head.recently_claimed = Some(RoleState { expires });
        pending.recently_claimed = NeedOfSignature::None;
    }
    if plan.snapshot.is_some() {
        let expires = now + roles.snapshot.lifetime;
        head.snapshot = Some(RoleState { expires });
    }
    if plan.timestamp.is_some() {
        let expires = now + roles.timestamp.lifetime;
        head.timestamp = Some(RoleState { expires });
    }
    if plan.take_changes {
        pending.changes = 0;
        pending.oldest = None;
        pending.bins.clear();
        pending.project_roles = false;
    }
    if plan.take_offline_roles {
        pending.offline_roles = false;
    }
}

fn states(head: &Head) -> impl Iterator<Item = &RoleState> {
    head.bins
        .values()
        .chain(&head.snapshot)
        .chain(&head.timestamp)
        .chain(&head.recently_claimed)
}

fn after_the_first_cycle(policy: &Policy) -> Head {
    let (mut head, mut pending) = before_the_first_cycle();
    let first = plan(start(), &head, policy, &pending, false);
    carry_out(start(), policy, &first, &mut head, &mut pending);
    head
}

#[test]
fn the_first_cycle_signs_everything() {
    let policy = policy(50);
    let (head, pending) = before_the_first_cycle();
    let first = plan(start(), &head, &policy, &pending, false);
    assert_eq!(first.bins.len(), 16);
    assert!(first.bins.values().all(|why| *why == Reason::Changed));
    assert_eq!(
        (first.snapshot, first.timestamp),
        (Some(Reason::Changed), Some(Reason::Changed))
    );
    assert!(first.take_offline_roles && !first.is_idle());
    // Half of the timestamp's ten minutes, or the last bin's first renewal, whichever is sooner.
    let last = first_bin_expiry(start(), &policy, bins().bins().next_back().unwrap());
    let due = last - policy.online.renew_below(policy.roles.bin_n.lifetime);
    assert_eq!(first.next, Some(due.min(start() + TimeDelta::minutes(5))));
}

/// Bins made on one day are renewed on different ones: with a cycle whenever one is due, none signs
/// more than a few.
#[test]
fn renewals_stay_spread_over_the_lifetime() {
    let policy = policy(50);
    let (mut head, mut pending) = (after_the_first_cycle(&policy), Pending::default());
    let mut now = start();
    let mut signed = 0;
    for _ in 0..200 {
        let idle = plan(now, &head, &policy, &pending, false);
        now = idle.next.unwrap();
        let one = plan(now, &head, &policy, &pending, false);
        assert!(!one.is_idle(), "{now}: woken for nothing");
        assert!(
            one.bins.len() <= 2,
            "{now}: {} bins at once",
            one.bins.len()
        );
        signed += one.bins.len();
        carry_out(now, &policy, &one, &mut head, &mut pending);
    }
    assert!(signed > 100, "{signed} bins renewed");
}

#[test]
fn a_batch_waits_for_others_but_not_for_ever() {
    let policy = policy(50);
    let head = after_the_first_cycle(&policy);
    let touched = bins().bin(3).unwrap();
    let waiting = |changes, oldest| Pending {
        changes,
        oldest: Some(oldest),
        bins: BTreeSet::from([touched]),
        ..Pending::default()
    };
    let few = waiting(1, start());
    let early = plan(start(), &head, &policy, &few, false);
    assert!(early.is_idle() && !early.take_changes);
    assert_eq!(early.next, Some(start() + policy.online.batch_wait));
    let due = start() + policy.online.batch_wait;
    for (now, pending, at_once) in [
        (due, &few, false),
        (
            start(),
            &waiting(u64::from(policy.online.batch_changes), start()),
            false,
        ),
        (start(), &few, true),
    ] {
        let taken = plan(now, &head, &policy, pending, at_once);
        assert!(taken.take_changes);
        assert_eq!(taken.bins, BTreeMap::from([(touched, Reason::Changed)]));
        assert_eq!(taken.snapshot, Some(Reason::Changed));
        assert_eq!(taken.timestamp, Some(Reason::Changed));
    }
    let nothing = plan(due, &head, &policy, &Pending::default(), true);
    assert!(nothing.is_idle() && !nothing.take_changes);
}

#[test]
fn a_timestamp_alone_is_renewed_alone() {
    let policy = policy(50);
    let mut head = after_the_first_cycle(&policy);
    for state in head.bins.values_mut().chain(&mut head.snapshot) {
        state.expires += TimeDelta::days(1);
    }
    let now = start() + TimeDelta::minutes(5);
    let one = plan(now, &head, &policy, &Pending::default(), false);
    assert_eq!((one.timestamp, one.snapshot), (Some(Reason::Due), None));
    assert!(one.bins.is_empty());
}

/// Waiting changes: how many, how long ago the oldest came, and the bins they touch.
fn any_pending() -> impl Strategy<Value = (u64, i64, Vec<u16>, bool)> {
    let touched = prop::collection::vec(0_u16..16, 0..6);
    (0_u64..40, 0_i64..10, touched, any::<bool>())
}

fn pending_at(
    now: DateTime<Utc>,
    (changes, ago, touched, offline): &(u64, i64, Vec<u16>, bool),
) -> Pending {
    Pending {
        changes: *changes,
        oldest: (*changes > 0).then(|| now - TimeDelta::seconds(*ago)),
        bins: touched.iter().filter_map(|bin| bins().bin(*bin)).collect(),
        offline_roles: *offline,
        project_roles: changes % 3 == 1,
        recently_claimed: if changes % 3 == 2 {
            NeedOfSignature::WithChanges
        } else {
            NeedOfSignature::None
        },
        ..Pending::default()
    }
}

proptest! {
    /// Called at least every quarter of the shortest lifetime, no role ever expires, whatever else
    /// goes on.
    #[test]
    fn no_role_expires(
        percent in 26_u32..=99,
        steps in prop::collection::vec((0_i64..=1000, any_pending(), any::<bool>()), 1..120),
    ) {
        let policy = policy(percent);
        let quarter = shortest(&policy).num_seconds() / 4;
        let (mut head, mut pending) = before_the_first_cycle();
        let mut now = start();
        for (share, more, at_once) in steps {
            for state in states(&head) {
                prop_assert!(state.expires > now);
            }
            let one = plan(now, &head, &policy, &pending, at_once);
            carry_out(now, &policy, &one, &mut head, &mut pending);
            now += TimeDelta::seconds(quarter * share / 1000);
            let arrived = pending_at(now, &more);
            pending = Pending {
                unsigned_bins: pending.unsigned_bins,
                ..arrived
            };
        }
    }

    /// A plan that was carried out leaves nothing to do at the same moment, and `next` lies ahead.
    #[test]
    fn a_plan_carried_out_leaves_nothing(
        percent in 1_u32..=99,
        later in 0_i64..20_000,
        waiting in any_pending(),
        at_once in any::<bool>(),
    ) {
        let policy = policy(percent);
        let mut head = after_the_first_cycle(&policy);
        let now = start() + TimeDelta::seconds(later);
        let mut pending = pending_at(now, &waiting);
        let one = plan(now, &head, &policy, &pending, at_once);
        prop_assert!(one.next.is_none_or(|next| next > now));
        // Whoever lists a bin must list the snapshot, and whoever signs that the timestamp.
        prop_assert!(one.bins.is_empty() || one.snapshot.is_some());
        prop_assert!(one.recently_claimed.is_none() || one.snapshot.is_some());
        let developers = one.take_changes && (pending.project_roles || one.recently_claimed.is_some());
        prop_assert!(!developers || one.snapshot.is_some());
        prop_assert!(one.snapshot.is_none() || one.timestamp.is_some());
        carry_out(now, &policy, &one, &mut head, &mut pending);
        let again = plan(now, &head, &policy, &pending, at_once);
        prop_assert!(again.is_idle(), "{:?}", again);
        prop_assert!(!again.take_changes);
        prop_assert_eq!(again.next, one.next);
    }

    /// Nothing is due before the moment that `next` named.
    #[test]
    fn idle_until_next(percent in 1_u32..=99, share in 0_i64..1000) {
        let policy = policy(percent);
        let head = after_the_first_cycle(&policy);
        let pending = Pending::default();
        let next = plan(start(), &head, &policy, &pending, false).next.unwrap();
        let between = start() + (next - start()) * i32::try_from(share).unwrap() / 1000;
        prop_assert!(plan(between, &head, &policy, &pending, false).is_idle());
        prop_assert!(!plan(next, &head, &policy, &pending, false).is_idle());
    }
}
