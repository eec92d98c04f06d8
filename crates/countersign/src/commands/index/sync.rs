//! `countersign index sync`: makes the index list what a folder holds.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use repository::{Repository, SyncOptions, SyncPlan};
use serde::Serialize;

use super::report::Report;
use super::wait::WaitArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::progress;

/// Queue all that makes the index list what a folder holds
///
/// What is new there is added, what is gone is removed, all in one snapshot. A file with other bytes
/// than on the index is refused: names are never reused.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder with wheels and source distributions, also in folders below it
    dir: PathBuf,

    /// Only say what would be done
    #[arg(long, env = "COUNTERSIGN_DRY_RUN", value_parser = FalseyValueParser::new())]
    dry_run: bool,

    /// Largest share of the files on the index that may be removed
    #[arg(long, value_name = "PERCENT", default_value_t = SyncOptions::default().removed_percent)]
    #[arg(env = "COUNTERSIGN_MAX_REMOVED", value_parser = clap::value_parser!(u32).range(0..=100))]
    max_removed: u32,

    /// Remove any number of files
    #[arg(long, env = "COUNTERSIGN_FORCE", value_parser = FalseyValueParser::new())]
    force: bool,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct PlanReport {
    add: Vec<PathBuf>,
    remove: Vec<String>,
    changed: Vec<PathBuf>,
    ignored: Vec<PathBuf>,
    unchanged: usize,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = super::open(&args.data_dir)?;
    if args.dry_run {
        return show(&repository, args, console);
    }
    let options = SyncOptions {
        removed_percent: args.max_removed,
        force: args.force,
    };
    let progress = progress::watching(&mut repository, console, "comparing");
    let synced = repository.sync(&args.dir, options, clock::now())?;
    drop(progress);
    if !args.json.json {
        console.say(PlanReport::from(&synced.plan).in_one_line())?;
    }
    let report = Report::of(&repository, &synced.intake, args.wait, console)?;
    report.finish(console, args.json.json, "queued")
}

fn show(repository: &Repository, args: &Args, console: &Console) -> Result<(), Failure> {
    let plan = PlanReport::from(&repository.plan_sync(&args.dir)?);
    console.report(args.json.json, &plan, || plan.text())
}

impl From<&SyncPlan> for PlanReport {
    fn from(plan: &SyncPlan) -> Self {
        Self {
            add: plan.add.clone(),
            remove: plan.remove.iter().map(ToString::to_string).collect(),
            changed: plan.changed.clone(),
            ignored: plan.ignored.clone(),
            unchanged: plan.unchanged,
        }
    }
}

impl PlanReport {
    fn in_one_line(&self) -> String {
        format!(
            "{} to add, {} to remove, {} the same, {} with other bytes, {} ignored",
            self.add.len(),
            self.remove.len(),
            self.unchanged,
            self.changed.len(),
            self.ignored.len()
        )
    }

    fn text(&self) -> String {
        let files = |label: &str, paths: &[PathBuf]| -> Vec<String> {
            let line = |path: &PathBuf| format!("{label} {}", path.display());
            paths.iter().map(line).collect()
        };
        let mut out = files("add    ", &self.add);
        out.extend(self.remove.iter().map(|name| format!("remove  {name}")));
        out.extend(files("refuse ", &self.changed));
        out.push(self.in_one_line());
        out.join("\n")
    }
}
