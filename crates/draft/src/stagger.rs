//! When bins expire: spread, so that their renewals do not fall on one day (DESIGN §6).

use chrono::{DateTime, TimeDelta, Utc};
use index::BinIndex;
use policy::Policy;

/// The expiry of a bin signed for the first time, together with all others: bin 0 lives its whole
/// lifetime, the last one until just before renewal is due. Later signatures get the whole lifetime,
/// which keeps the distances.
#[must_use]
pub fn first_bin_expiry(now: DateTime<Utc>, policy: &Policy, bin: BinIndex) -> DateTime<Utc> {
    let lifetime = policy.roles.bin_n.lifetime;
    let spread = (lifetime - policy.online.renew_below(lifetime)).num_seconds();
    let share = spread * i64::from(bin.get()) / i64::from(bin.count().get());
    now + lifetime - TimeDelta::seconds(share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use index::BinCount;

    #[test]
    fn spread_over_the_lifetime_and_never_due_at_once() {
        let policy = Policy::built_in("small-index").unwrap();
        let now = DateTime::UNIX_EPOCH;
        let lifetime = policy.roles.bin_n.lifetime;
        let count = BinCount::new(512).unwrap();
        let expiries: Vec<_> = count
            .bins()
            .map(|bin| first_bin_expiry(now, &policy, bin))
            .collect();
        assert_eq!(expiries[0], now + lifetime);
        assert!(expiries.windows(2).all(|two| two[0] > two[1]));
        let last = expiries[511] - now;
        assert!(last >= policy.online.renew_below(lifetime), "{last}");
    }
}
