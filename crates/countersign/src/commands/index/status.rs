//! `countersign index status`: where an index stands.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use repository::{Repository, RoleStatus, Status};
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;

/// Show versions, expiries and what waits
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// The report; `seconds_left` is negative once a role has expired.
#[derive(Serialize)]
struct Report {
    roles: Vec<RoleReport>,
    bins: usize,
    first_bin_to_expire: Option<RoleReport>,
    targets: u64,
    projects: usize,
    changes_waiting: usize,
    sets_waiting: usize,
    last_signed: Option<String>,
    crash_to_recover_from: bool,
}

#[derive(Serialize)]
struct RoleReport {
    role: String,
    version: u64,
    expires: String,
    seconds_left: i64,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let repository = Repository::open(args.data_dir.open().path())?;
    let report = Report::from(repository.status(clock::now())?);
    console.report(args.json.json, &report, || report.text())
}

impl From<Status> for Report {
    fn from(status: Status) -> Self {
        Self {
            roles: status.roles.into_iter().map(RoleReport::from).collect(),
            bins: status.bins,
            first_bin_to_expire: status.first_bin.map(RoleReport::from),
            targets: status.targets,
            projects: status.projects,
            changes_waiting: status.pending,
            sets_waiting: status.waiting_sets,
            last_signed: status.signed.map(stamp),
            crash_to_recover_from: status.unfinished,
        }
    }
}

impl From<RoleStatus> for RoleReport {
    fn from(status: RoleStatus) -> Self {
        Self {
            role: status.role.to_string(),
            version: status.version.get(),
            expires: stamp(status.expires),
            seconds_left: status.seconds_left,
        }
    }
}

impl Report {
    fn text(&self) -> String {
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
        if let Some(signed) = &self.last_signed {
            out.push(format!("last signed {signed}"));
        }
        if self.crash_to_recover_from {
            let next = "a crash left work to finish: the next `countersign online tick` does it";
            out.push(next.to_owned());
        }
        out.join("\n")
    }
}

impl RoleReport {
    fn text(&self) -> String {
        let left = match self.seconds_left {
            ..=0 => "EXPIRED".to_owned(),
            seconds => format!("{} left", in_words(TimeDelta::seconds(seconds))),
        };
        format!(
            "{:<10} v{:<5} expires {}  {left}",
            self.role, self.version, self.expires
        )
    }
}

/// A time as metadata writes it.
fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A duration in its largest whole unit.
fn in_words(left: TimeDelta) -> String {
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
