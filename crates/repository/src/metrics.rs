//! A status as Prometheus text, for a port or for `node_exporter`'s textfile collector.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::status::{RoleStatus, Status, StoreHealth};

/// Renders `status` in the text exposition format 0.0.4.
#[must_use]
pub fn prometheus_text(status: &Status, now: DateTime<Utc>) -> String {
    let mut text = String::new();
    let roles = || status.roles.iter().chain(&status.first_bin);
    let left = |role: &RoleStatus| (role.expires - now).num_seconds();
    let mut family = |name: &str, help: &str, values: Vec<(String, i64)>| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP countersign_{name} {help}");
        let _ = writeln!(text, "# TYPE countersign_{name} gauge");
        for (labels, value) in values {
            let _ = writeln!(text, "countersign_{name}{labels} {value}");
        }
    };
    let by_role = |value: &dyn Fn(&RoleStatus) -> i64| {
        let line = |role| (label("role", role_name(role, status)), value(role));
        roles().map(line).collect::<Vec<_>>()
    };
    family(
        "role_seconds_to_expiry",
        "Seconds until the role expires; of the bins, the one that expires first.",
        by_role(&left),
    );
    family(
        "role_version",
        "Published version of the role.",
        by_role(&|role| number(role.version.get())),
    );
    let alarm = |alarm: &crate::Alarm| {
        (
            label("role", alarm.role.name()),
            number(alarm.level as u64 + 1),
        )
    };
    family(
        "offline_alarm",
        "Alarm reached by a role with offline keys: 1 is the first.",
        status.alarms.iter().map(alarm).collect(),
    );
    let plain = |value: u64| vec![(String::new(), number(value))];
    family("bins", "Bins published.", plain(status.bins as u64));
    family("targets", "Targets listed.", plain(status.targets));
    family(
        "projects",
        "Projects with files, now or before.",
        plain(status.projects as u64),
    );
    family(
        "pending_changes",
        "Changes waiting to be published.",
        plain(status.pending as u64),
    );
    family(
        "waiting_sets",
        "Sets of offline roles waiting.",
        plain(status.waiting_sets as u64),
    );
    family(
        "unfinished",
        "Whether a crash left work to finish.",
        plain(status.unfinished.into()),
    );
    let intact = u64::from(status.store == StoreHealth::Intact);
    family(
        "store_intact",
        "Whether the store holds what was published.",
        plain(intact),
    );
    let signed = status
        .signed
        .map(|signed| (String::new(), signed.timestamp()));
    family(
        "last_signature_timestamp_seconds",
        "When the last signature was made.",
        signed.into_iter().collect(),
    );
    let rooms = [
        ("snapshot", status.snapshot_room),
        ("largest-role", status.role_room),
    ];
    let room = |value: &dyn Fn(crate::HeadRoom) -> u64| {
        let line =
            |(name, room): &(&str, crate::HeadRoom)| (label("of", name), number(value(*room)));
        rooms.iter().map(line).collect::<Vec<_>>()
    };
    family(
        "bytes_used",
        "Bytes of the published file.",
        room(&|room| room.used),
    );
    family(
        "bytes_limit",
        "Bytes that the policy allows it.",
        room(&|room| room.limit),
    );
    text
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
