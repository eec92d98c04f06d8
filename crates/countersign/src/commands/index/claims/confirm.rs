//! `countersign index claims confirm`: the keys of projects are right, as far as the operator knows, after a
//! state was recovered from a backup.

use index::ProjectName;
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;

/// Say that the keys of projects are right that a recovery holds
///
/// Keys that were registered after the backup and not published are lost. If somebody registered keys
/// for a project in that time, do not confirm it: have its developers claim it again.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Projects
    #[arg(required_unless_present = "all", value_name = "PROJECT")]
    projects: Vec<ProjectName>,

    /// Every project that is held
    #[arg(long, env = "COUNTERSIGN_ALL", conflicts_with = "projects")]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    all: bool,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    confirmed: Vec<String>,
    /// Those named that were not held.
    not_held: Vec<String>,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = super::super::open(&args.data_dir)?;
    let projects = if args.all {
        let claims = repository.claims()?.into_iter();
        claims
            .filter(|(_, claim)| claim.held)
            .map(|(project, _)| project)
            .collect()
    } else {
        args.projects.clone()
    };
    let confirmed = repository.confirm_claims(&projects)?;
    let not_held = projects.iter().filter(|one| !confirmed.contains(one));
    let report = Report {
        not_held: not_held.map(ToString::to_string).collect(),
        confirmed: confirmed.iter().map(ToString::to_string).collect(),
    };
    for project in &report.not_held {
        tracing::error!("{project} is not held");
    }
    console.report(args.json.json, &report, || report.text())?;
    match report.not_held.len() {
        0 => Ok(()),
        refused => Err(Failure::PartlyRefused {
            refused,
            total: projects.len(),
            what: "projects were",
        }),
    }
}

impl Report {
    fn text(&self) -> String {
        let line = |project: &String| format!("{project}: its developers release again\n");
        self.confirmed.iter().map(line).collect()
    }
}
