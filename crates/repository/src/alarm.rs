//! Alarms for roles with offline keys: nobody online can renew them, and an expired one is an outage
//! (reference F15).

use chrono::{DateTime, TimeDelta, Utc};
use metadata::Role;

use crate::status::RoleStatus;

/// A role with offline keys has less time left than the policy wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The role.
    pub role: Role,
    /// When it expires.
    pub expires: DateTime<Utc>,
    /// Which alarm of policy `online.offline_alarms` this is: the smallest that has been reached.
    pub threshold: TimeDelta,
    /// How many alarms came before it: 0 for the first.
    pub level: usize,
    /// Whether the role has expired: every lookup through it fails now.
    pub expired: bool,
}

/// The alarm of each offline role that has one; `alarms` falling, as the policy has them.
pub(crate) fn alarms(roles: &[RoleStatus], alarms: &[TimeDelta], now: DateTime<Utc>) -> Vec<Alarm> {
    let raised = |role: &RoleStatus| {
        let left = role.expires - now;
        let (level, threshold) = alarms
            .iter()
            .enumerate()
            .rfind(|(_, threshold)| left <= **threshold)?;
        Some(Alarm {
            role: role.role.clone(),
            expires: role.expires,
            threshold: *threshold,
            level,
            expired: left <= TimeDelta::zero(),
        })
    };
    roles
        .iter()
        .filter(|role| !matches!(role.role, Role::Snapshot | Role::Timestamp))
        .filter(|role| role.role.name() != draft::RECENTLY_CLAIMED)
        .filter_map(raised)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadata::Version;

    #[test]
    fn each_threshold_raises_its_alarm_and_online_roles_none() {
        let now = DateTime::UNIX_EPOCH;
        let days = [60, 30, 14, 7].map(TimeDelta::days);
        let status = |role, left: TimeDelta| RoleStatus {
            role,
            version: Version::FIRST,
            expires: now + left,
            seconds_left: left.num_seconds(),
        };
        let level = |role: &Role, left| {
            let roles = [status(role.clone(), left)];
            alarms(&roles, &days, now)
                .first()
                .map(|alarm| (alarm.level, alarm.expired))
        };
        let second = TimeDelta::seconds(1);
        assert_eq!(level(&Role::Root, days[0] + second), None);
        for (expected, threshold) in days.iter().enumerate() {
            assert_eq!(level(&Role::Root, *threshold), Some((expected, false)));
        }
        assert_eq!(level(&Role::Targets, days[3] - second), Some((3, false)));
        assert_eq!(level(&Role::Targets, -second), Some((3, true)));
        assert_eq!(level(&Role::Timestamp, second), None);
        assert_eq!(level(&Role::Snapshot, second), None);
    }
}
