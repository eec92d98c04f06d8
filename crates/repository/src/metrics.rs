//! A status as Prometheus text, for a port or for `node_exporter`'s textfile collector.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::status::{RoleStatus, Status, StoreHealth};
use crate::{Alarm, HeadRoom};

/// Renders `status` in the text exposition format 0.0.4.
#[must_use]
pub fn prometheus_text(status: &Status, now: DateTime<Utc>) -> String {
    let mut text = Text::default();
    roles(&mut text, status, now);
    counts(&mut text, status);
    times(&mut text, status);
    rooms(&mut text, status);
    text.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    /// A family of gauges, each with its labels.
    fn family(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (String, i64)>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP countersign_{name} {help}");
        let _ = writeln!(self.0, "# TYPE countersign_{name} gauge");
        for (labels, value) in values {
            let _ = writeln!(self.0, "countersign_{name}{labels} {value}");
        }
    }

    /// One gauge without labels.
    fn one(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, help, [(String::new(), number(value))]);
    }
}

fn roles(text: &mut Text, status: &Status, now: DateTime<Utc>) {
    let by_role = |value: &dyn Fn(&RoleStatus) -> i64| {
        let line = |role| (label("role", role_name(role, status)), value(role));
        let roles = status.roles.iter().chain(&status.first_bin);
        roles.map(line).collect::<Vec<_>>()
    };
    text.family(
        "role_seconds_to_expiry",
        "Seconds until the role expires; of the bins, the one that expires first.",
        by_role(&|role| (role.expires - now).num_seconds()),
    );
    text.family(
        "role_version",
        "Published version of the role.",
        by_role(&|role| number(role.version.get())),
    );
    let alarm = |alarm: &Alarm| {
        let role = label("role", alarm.role.name());
        (role, number(alarm.level as u64 + 1))
    };
    text.family(
        "offline_alarm",
        "Alarm reached by a role with offline keys: 1 is the first.",
        status.alarms.iter().map(alarm),
    );
}

fn counts(text: &mut Text, status: &Status) {
    let intact = status.store == StoreHealth::Intact;
    for (name, help, value) in [
        ("bins", "Bins published.", status.bins as u64),
        ("targets", "Targets listed.", status.targets),
        (
            "tombstones",
            "Roles in the snapshot that nothing delegates to any more.",
            status.tombstones.len() as u64,
        ),
        (
            "projects",
            "Projects with files, now or before.",
            status.projects as u64,
        ),
        (
            "pending_changes",
            "Changes waiting to be published.",
            status.pending as u64,
        ),
        (
            "waiting_sets",
            "Sets of offline roles waiting.",
            status.waiting_sets as u64,
        ),
        (
            "unfinished",
            "Whether a crash left work to finish.",
            status.unfinished.into(),
        ),
        (
            "claims_registered",
            "Projects whose keys are registered and whose developers have not released yet.",
            status.claims.registered as u64,
        ),
        (
            "claims_recently_claimed",
            "Projects in recently-claimed.",
            status.claims.recently_claimed as u64,
        ),
        (
            "claims_claimed",
            "Projects that an offline role delegates to.",
            status.claims.claimed as u64,
        ),
        (
            "claims_held",
            "Projects of which nothing is taken since a recovery, until their keys are confirmed.",
            status.claims.held as u64,
        ),
        (
            "store_intact",
            "Whether the store holds what was published.",
            intact.into(),
        ),
    ] {
        text.one(name, help, value);
    }
}

fn times(text: &mut Text, status: &Status) {
    let signed = status.signed.map(|signed| signed.timestamp());
    text.family(
        "last_signature_timestamp_seconds",
        "When the last signature was made.",
        signed.map(|signed| (String::new(), signed)),
    );
    let mut publications = status.publications.iter();
    let Some(last) = publications.find(|one| one.snapshot.is_some()) else {
        return;
    };
    text.family(
        "last_publication_timestamp_seconds",
        "When content was last published: a snapshot.",
        [(String::new(), last.signed.timestamp())],
    );
    text.one(
        "last_publication_bins",
        "Bins signed by the last publication of content.",
        last.bins,
    );
    text.one(
        "last_publication_changes",
        "Changes decided by the last publication of content.",
        last.changes,
    );
}

fn rooms(text: &mut Text, status: &Status) {
    let rooms = [
        ("snapshot", status.snapshot_room),
        ("largest-role", status.role_room),
    ];
    let by_room = |value: fn(HeadRoom) -> u64| {
        rooms.map(|(name, room)| (label("of", name), number(value(room))))
    };
    text.family(
        "bytes_used",
        "Bytes of the published file.",
        by_room(|room| room.used),
    );
    text.family(
        "bytes_limit",
        "Bytes that the policy allows it.",
        by_room(|room| room.limit),
    );
}

/// Of the bins one line stands for all.
fn role_name<'a>(role: &'a RoleStatus, status: &Status) -> &'a str {
    match &status.first_bin {
        Some(bin) if bin == role => "bin-n",
        _ => role.role.name(),
    }
}

fn label(name: &str, value: &str) -> String {
    let escaped = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("{{{name}=\"{escaped}\"}}")
}

/// Samples are doubles: exact up to 2^53, which versions and sizes stay below.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
