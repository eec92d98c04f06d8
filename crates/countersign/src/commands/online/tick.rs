//! `countersign online tick`: one cycle, for cron and timers.

use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, Utc};
use repository::{OnlineSigners, Outcome, TickOptions, TickReport};
use serde::Serialize;

use super::metrics::{self, Cycles};
use super::only::{self, OnlyArgs, OnlyRole};
use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::index::alarm_text;
use crate::console::Console;
use crate::data_dir::{DataDir, DataDirArgs};
use crate::failure::Failure;
use crate::online_keys::{self, OnlineKeyArgs};
use crate::places;
use crate::progress;

use clap::builder::FalseyValueParser;

/// Run one cycle: finish what a crash left, sign what is due, publish
///
/// With nothing to do nothing is written. Made for cron and systemd timers: a second process that
/// comes too early ends with code 75.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    online_keys: OnlineKeyArgs,

    /// Publish waiting changes now, without waiting for more to share a snapshot with
    #[arg(long, env = "COUNTERSIGN_AT_ONCE", value_parser = FalseyValueParser::new())]
    at_once: bool,

    /// File for the node exporter's textfile collector, written when the cycle has ended, however it did
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_METRICS_FILE")]
    metrics_file: Option<PathBuf>,

    #[command(flatten)]
    json: JsonArgs,

    #[command(flatten)]
    only: OnlyArgs,
}

/// What the cycle did.
#[derive(Serialize)]
struct Report {
    timestamp: Option<u64>,
    snapshot: Option<u64>,
    bins: usize,
    offline_roles: Vec<String>,
    changes_published: usize,
    changes_refused: Vec<String>,
    finished_earlier_work: bool,
    gave_up_earlier_versions: bool,
    next: Option<String>,
    changes_waiting: u64,
    changes_wait_until: Option<String>,
    pointers_put_again: Vec<String>,
    blocked_by: Option<String>,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let data_dir = args.data_dir.open();
    if args.only.only == Some(OnlyRole::Timestamp) {
        return only::run(
            &args.only,
            &args.online_keys,
            &data_dir,
            args.json.json,
            console,
        );
    }
    // The keys' passphrases may have to be typed: first everything else that can fail.
    places::check(&data_dir)?;
    let limits = online_keys::limits(&data_dir)?;
    let signers = online_keys::open(&data_dir, &args.online_keys, &limits, console)?;
    let options = TickOptions {
        at_once: args.at_once,
    };
    let done = tick(&data_dir, &signers, clock::now(), options, Some(console));
    if let Some(file) = &args.metrics_file {
        let cycles = Cycles::default();
        cycles.count(done.is_ok());
        metrics::write(file, &data_dir, &cycles);
    }
    let done = done?;
    tell_events(&done);
    let report = Report::from(done);
    console.report(args.json.json, &report, || report.text())?;
    for why in &report.changes_refused {
        tracing::error!("refused {why}");
    }
    match report.changes_refused.len() {
        0 => Ok(()),
        refused => Err(Failure::PartlyRefused {
            refused,
            total: refused + report.changes_published,
            what: "changes were",
        }),
    }
}

/// Runs one cycle.
pub(crate) fn tick(
    data_dir: &DataDir,
    signers: &OnlineSigners,
    now: DateTime<Utc>,
    options: TickOptions,
    console: Option<&Console>,
) -> Result<TickReport, Failure> {
    let mut repository = places::open(data_dir)?;
    let watch = |console| progress::watching(&mut repository, console, "signing");
    let _progress = console.map(watch);
    let report = repository.tick(signers, now, options)?;
    if report.timestamp.is_some() {
        for alarm in repository.status(now)?.alarms {
            tracing::warn!("{}", alarm_text(&alarm));
        }
    }
    Ok(report)
}

/// Logs what a cycle met that nobody asked for.
pub(super) fn tell_events(report: &TickReport) {
    for path in &report.mended {
        tracing::warn!(%path, "was missing or damaged in the store and was put again");
    }
    if let Some(path) = &report.blocked {
        tracing::error!(
            %path,
            "something stands there that cannot be replaced: remove it, and look who put it there"
        );
    }
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl From<TickReport> for Report {
    fn from(report: TickReport) -> Self {
        let refused = |(_, outcome): &(_, Outcome)| match outcome {
            Outcome::Refused(why) => Some(why.clone()),
            Outcome::Published(_) => None,
        };
        let changes_refused: Vec<_> = report.outcomes.iter().filter_map(refused).collect();
        let offline_roles = report.offline_roles.iter();
        Self {
            timestamp: report.timestamp.map(metadata::Version::get),
            snapshot: report.snapshot.map(metadata::Version::get),
            bins: report.bins,
            offline_roles: offline_roles
                .map(|(role, version)| format!("{role} v{version}"))
                .collect(),
            changes_published: report.outcomes.len() - changes_refused.len(),
            changes_refused,
            finished_earlier_work: report.finished_earlier,
            gave_up_earlier_versions: report.burned_earlier,
            next: report.next.map(stamp),
            changes_waiting: report.waiting,
            changes_wait_until: report.waiting_until.map(stamp),
            pointers_put_again: report.mended.iter().map(ToString::to_string).collect(),
            blocked_by: report.blocked.as_ref().map(ToString::to_string),
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let mut done = self.offline_roles.clone();
        if self.bins > 0 {
            done.push(format!("{} bins", self.bins));
        }
        done.extend(self.snapshot.map(|version| format!("snapshot v{version}")));
        done.extend(
            self.timestamp
                .map(|version| format!("timestamp v{version}")),
        );
        let mut out = Vec::new();
        if self.finished_earlier_work {
            out.push("finished what an earlier cycle had begun".to_owned());
        }
        if self.gave_up_earlier_versions {
            out.push("gave up the version numbers of a cycle that got nowhere".to_owned());
        }
        out.push(if done.is_empty() {
            "nothing to do".to_owned()
        } else {
            format!("published {}", done.join(", "))
        });
        if self.changes_published > 0 {
            out.push(format!("{} changes are public", self.changes_published));
        }
        if !self.pointers_put_again.is_empty() {
            let pointers = self.pointers_put_again.join(", ");
            out.push(format!("put again, as published: {pointers}"));
        }
        if let Some(until) = &self.changes_wait_until {
            let count = self.changes_waiting;
            out.push(format!(
                "{count} changes wait until {until} for others to share a snapshot with; \
                 --at-once publishes them now"
            ));
        }
        out.extend(self.next.as_ref().map(|next| format!("next due {next}")));
        out.join("\n")
    }
}
