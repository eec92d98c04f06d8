//! A status as a table and as JSON.

use std::io;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use repository::{Alarm, HeadRoom, Publication, RoleStatus, Status, StoreHealth};
use serde::Serialize;

use super::alarm_text;
use crate::failure::Failure;

/// The report; `seconds_left` is negative once a role has expired.
#[derive(Serialize)]
pub(super) struct Report {
    roles: Vec<RoleReport>,
    bins: usize,
    first_bin_to_expire: Option<RoleReport>,
    targets: u64,
    projects: usize,
    changes_waiting: usize,
    sets_waiting: usize,
    last_signed: Option<String>,
    last_publications: Vec<PublicationReport>,
    alarms: Vec<AlarmReport>,
    /// Roles that the snapshot lists though nothing delegates to them.
    tombstones: Vec<String>,
    snapshot_bytes: RoomReport,
    largest_role_bytes: RoomReport,
    store_intact: bool,
    store_altered: Option<String>,
    crash_to_recover_from: bool,
    /// Projects whose developers sign; none where the policy has nobody sign.
    claims: Option<ClaimsReport>,
}

#[derive(Serialize)]
struct ClaimsReport {
    registered: usize,
    recently_claimed: RoomReport,
    claimed: usize,
    /// Of which nothing is taken since a recovery, until their keys are confirmed.
    held: usize,
    roles_visited: RoomReport,
    /// How many more the snapshot has room for.
    projects_left: u64,
    first_to_expire: Option<RoleReport>,
}

#[derive(Serialize)]
struct RoleReport {
    role: String,
    version: u64,
    expires: String,
    seconds_left: i64,
    threshold: Option<u64>,
    keyids: Vec<String>,
}

#[derive(Serialize)]
struct PublicationReport {
    signed: String,
    timestamp: Option<u64>,
    snapshot: Option<u64>,
    bins_changed: u64,
    changes: u64,
}

#[derive(Serialize)]
struct AlarmReport {
    role: String,
    expires: String,
    /// 1 is the first of the policy's alarms.
    level: usize,
    expired: bool,
    text: String,
}

#[derive(Serialize)]
struct RoomReport {
    used: u64,
    limit: u64,
}

impl Report {
    pub(super) fn new(status: &Status) -> Self {
        let role = |role| RoleReport::new(role, status);
        let altered = match &status.store {
            StoreHealth::Altered(path) => Some(path.to_string()),
            StoreHealth::Intact | StoreHealth::Unreadable => None,
        };
        Self {
            roles: status.roles.iter().map(role).collect(),
            bins: status.bins,
            first_bin_to_expire: status.first_bin.as_ref().map(role),
            targets: status.targets,
            projects: status.projects,
            changes_waiting: status.pending,
            sets_waiting: status.waiting_sets,
            last_signed: status.signed.map(stamp),
            last_publications: status.publications.iter().map(Into::into).collect(),
            alarms: status.alarms.iter().map(Into::into).collect(),
            tombstones: status.tombstones.iter().map(ToString::to_string).collect(),
            snapshot_bytes: status.snapshot_room.into(),
            largest_role_bytes: status.role_room.into(),
            store_intact: status.store == StoreHealth::Intact,
            store_altered: altered,
            crash_to_recover_from: status.unfinished,
            claims: ClaimsReport::new(status),
        }
    }

    pub(super) fn json(&self) -> Result<String, Failure> {
        let mut out = serde_json::to_string_pretty(self).map_err(io::Error::from)?;
        out.push('\n');
        Ok(out)
    }

    pub(super) fn text(&self) -> String {
        let mut out: Vec<String> = self.roles.iter().map(RoleReport::text).collect();
        if out.is_empty() {
            out.push("nothing published yet".to_owned());
        }
        if let Some(first) = &self.first_bin_to_expire {
            out.push(format!("{} bins, the first to expire is", self.bins));
            out.push(first.text());
        }
        let (targets, projects) = (self.targets, self.projects);
        out.push(format!("{targets} targets of {projects} projects"));
        let (changes, sets) = (self.changes_waiting, self.sets_waiting);
        out.push(format!(
            "waiting: {changes} changes, {sets} sets of offline roles"
        ));
        if !self.roles.is_empty() {
            out.push(format!(
                "room: snapshot {}, largest role {}",
                self.snapshot_bytes.text(),
                self.largest_role_bytes.text()
            ));
        }
        if !self.tombstones.is_empty() {
            out.push(format!(
                "{} tombstones: nothing delegates to them, and the snapshot lists them until a rebin or \
                 another change of both online keys without overlap",
                self.tombstones.len()
            ));
        }
        if let Some(claims) = &self.claims {
            out.push(claims.text());
        }
        if let Some(signed) = &self.last_signed {
            out.push(format!("last signed {signed}"));
        }
        let of_content = |one: &&PublicationReport| one.snapshot.is_some();
        out.extend(self.last_publications.iter().find(of_content).map(|last| {
            let snapshot = last.snapshot.unwrap_or_default();
            let (bins, changes, signed) = (last.bins_changed, last.changes, &last.signed);
            format!("last published {signed}: snapshot v{snapshot}, {bins} bins, {changes} changes")
        }));
        out.extend(self.alarms.iter().map(|one| format!("ALARM: {}", one.text)));
        if let Some(path) = &self.store_altered {
            out.push(format!("ALTERED: `{path}` is not what was published"));
        } else if !self.store_intact {
            out.push("UNREADABLE: the store does not answer".to_owned());
        }
        if self.crash_to_recover_from {
            let next = "a crash left work to finish: the next `countersign online tick` does it";
            out.push(next.to_owned());
        }
        out.join("\n")
    }
}

impl ClaimsReport {
    fn new(status: &Status) -> Option<Self> {
        let claims = &status.claims;
        (claims.recently_claimed_limit > 0).then(|| Self {
            registered: claims.registered,
            recently_claimed: RoomReport {
                used: claims.recently_claimed as u64,
                limit: claims.recently_claimed_limit.into(),
            },
            claimed: claims.claimed,
            held: claims.held,
            roles_visited: claims.roles_visited.into(),
            projects_left: claims.projects_left,
            first_to_expire: claims
                .first_to_expire
                .as_ref()
                .map(|role| RoleReport::new(role, status)),
        })
    }

    fn text(&self) -> String {
        let RoomReport { used, limit } = self.recently_claimed;
        let mut out = format!(
            "developers sign: {} claimed, {used} of {limit} recently claimed, {} registered",
            self.claimed, self.registered
        );
        let RoomReport { used, limit } = self.roles_visited;
        out = format!(
            "{out}; a lookup visits {used} of {limit} roles at most, the snapshot has room for about {} \
             more",
            self.projects_left
        );
        if self.held > 0 {
            out = format!("{out}; {} held until `index claims confirm`", self.held);
        }
        if let Some(first) = &self.first_to_expire {
            out = format!("{out}; the first to expire is\n{}", first.text());
        }
        out
    }
}

impl RoleReport {
    fn new(role: &RoleStatus, status: &Status) -> Self {
        let mut signers = status.signers.iter();
        let signers = signers.find(|signers| signers.covers(&role.role));
        Self {
            role: role.role.to_string(),
            version: role.version.get(),
            expires: stamp(role.expires),
            seconds_left: role.seconds_left,
            threshold: signers.map(|signers| signers.threshold),
            keyids: signers.map_or_else(Vec::new, |signers| {
                signers.keys.iter().map(ToString::to_string).collect()
            }),
        }
    }

    fn text(&self) -> String {
        let left = match self.seconds_left {
            ..=0 => "EXPIRED".to_owned(),
            seconds => format!("{} left", in_words(TimeDelta::seconds(seconds))),
        };
        let signers = self.threshold.map_or_else(String::new, |threshold| {
            let short = |id: &String| id.chars().take(8).collect::<String>();
            let keys: Vec<String> = self.keyids.iter().map(short).collect();
            format!("  {threshold} of {}", keys.join(" "))
        });
        format!(
            "{:<10} v{:<5} expires {}  {left:<16}{signers}",
            self.role, self.version, self.expires
        )
        .trim_end()
        .to_owned()
    }
}

impl From<&Publication> for PublicationReport {
    fn from(one: &Publication) -> Self {
        Self {
            signed: stamp(one.signed),
            timestamp: one.timestamp.map(metadata::Version::get),
            snapshot: one.snapshot.map(metadata::Version::get),
            bins_changed: one.bins,
            changes: one.changes,
        }
    }
}

impl From<&Alarm> for AlarmReport {
    fn from(alarm: &Alarm) -> Self {
        Self {
            role: alarm.role.to_string(),
            expires: stamp(alarm.expires),
            level: alarm.level + 1,
            expired: alarm.expired,
            text: alarm_text(alarm),
        }
    }
}

impl From<HeadRoom> for RoomReport {
    fn from(room: HeadRoom) -> Self {
        Self {
            used: room.used,
            limit: room.limit,
        }
    }
}

impl RoomReport {
    fn text(&self) -> String {
        format!("{} of {} bytes", self.used, self.limit)
    }
}

/// A time as metadata writes it.
fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A duration in its largest whole unit.
pub(super) fn in_words(left: TimeDelta) -> String {
    match (left.num_days(), left.num_hours(), left.num_minutes()) {
        (days @ 2.., _, _) => format!("{days} days"),
        (_, hours @ 2.., _) => format!("{hours} hours"),
        (_, _, minutes @ 2..) => format!("{minutes} minutes"),
        _ => format!("{} seconds", left.num_seconds()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (seconds, words) in [
            (86_400 * 364, "364 days"),
            (86_399, "23 hours"),
            (7_199, "119 minutes"),
            (119, "119 seconds"),
        ] {
            assert_eq!(in_words(TimeDelta::seconds(seconds)), words);
        }
    }
}
