//! `countersign client refresh`: brings what is trusted up to date.

use client::Session;
use serde::Serialize;

use super::place::PlaceArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::failure::Failure;
use crate::runtime;

/// Bring trusted metadata up to date (TUF 5.1 to 5.6)
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    root: RoleReport,
    timestamp: RoleReport,
    snapshot: RoleReport,
    targets: RoleReport,
}

#[derive(Serialize)]
struct RoleReport {
    version: u64,
    expires: String,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let updater = args.place.place()?.updater()?;
    let session = runtime::run(async { Ok(updater.refresh(clock::now()).await?) })?;
    let report = Report::of(&session);
    console.report(args.json.json, &report, || report.text())
}

impl Report {
    fn of(session: &Session) -> Self {
        let snapped = session.snapped();
        let role = |version: metadata::Version, expires: metadata::Expiry| RoleReport {
            version: version.get(),
            expires: expires.to_string(),
        };
        Self {
            root: role(snapped.root().version, snapped.root().expires),
            timestamp: role(snapped.timestamp().version, snapped.timestamp().expires),
            snapshot: role(snapped.snapshot().version, snapped.snapshot().expires),
            targets: role(session.targets().version, session.targets().expires),
        }
    }

    fn text(&self) -> String {
        let line = |name: &str, role: &RoleReport| {
            format!(
                "{name:<10} v{:<5} valid until {}\n",
                role.version, role.expires
            )
        };
        [
            line("root", &self.root),
            line("timestamp", &self.timestamp),
            line("snapshot", &self.snapshot),
            line("targets", &self.targets),
        ]
        .concat()
    }
}
