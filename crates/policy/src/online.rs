//! When the online cycle signs again and warns, and how long old snapshots stay.

use chrono::TimeDelta;

use crate::PolicyError;
use crate::reader::Section;

/// The keys of the table `online`.
pub(crate) const KEYS: &[&str] = &[
    "renew_below_percent",
    "batch_wait",
    "batch_changes",
    "offline_alarms",
];

/// The keys of the table `retention`.
pub(crate) const RETENTION_KEYS: &[&str] = &["snapshots"];

/// The keys of the table `deltas`.
pub(crate) const DELTA_KEYS: &[&str] = &["snapshots"];

/// What clients that hold an older snapshot are saved; see crate `deltas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaPolicy {
    /// From how many of the snapshots before a new one there are deltas to it; at most 32, so that the
    /// timestamp that lists them stays far below what clients read of it.
    pub snapshots: u32,
}

impl DeltaPolicy {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            snapshots: section.count("snapshots", 1..=32)?,
        })
    }
}

/// How the online cycle runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlinePolicy {
    /// A role is signed again once less than this share of its lifetime is left; 1 to 99 percent.
    pub renew_below_percent: u32,
    /// Longest time that a change waits for others to share a snapshot with.
    pub batch_wait: TimeDelta,
    /// Number of waiting changes that are published at once, without waiting longer.
    pub batch_changes: u32,
    /// Time left to a role with offline keys at which the operator is warned; falling.
    pub offline_alarms: Vec<TimeDelta>,
}

/// How long what nobody should need any more is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Time that a snapshot, and all it names, stays after the last timestamp naming it expired.
    ///
    /// Roots have no such time: none is ever deleted (PEP 458 "Cleaning up old metadata").
    pub snapshots: TimeDelta,
}

impl OnlinePolicy {
    /// Time left below which a role that lives for `lifetime` is signed again.
    #[must_use]
    pub fn renew_below(&self, lifetime: TimeDelta) -> TimeDelta {
        // Lifetimes are at most 36,500 days, so the product stays far inside the type.
        TimeDelta::seconds(lifetime.num_seconds() * i64::from(self.renew_below_percent) / 100)
    }

    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            renew_below_percent: section.count("renew_below_percent", 1..=99)?,
            batch_wait: section.duration("batch_wait")?,
            batch_changes: section.count("batch_changes", 1..=1_000_000)?,
            offline_alarms: section.durations("offline_alarms")?,
        })
    }
}

impl Retention {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            snapshots: section.duration("snapshots")?,
        })
    }
}
