//! `countersign index add`: queues distributions.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use repository::{Intake, Repository};

use super::files::{Collected, collect};
use super::report::Report;
pub(crate) use super::report::show_refused;
use super::wait::WaitArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::progress;

/// Queue wheels and source distributions for publication
///
/// Each file is opened and checked. One that is refused is named, the rest goes on, and the exit code
/// is 1. What is accepted survives a loss of power and appears in one snapshot.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files, or folders with files in them
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = super::open(&args.data_dir)?;
    let collected = collect(&args.paths);
    if let ([], [], [path, ..]) = (&*collected.files, &*collected.refused, &*args.paths) {
        let path = path.clone();
        return Err(Failure::NothingToAdd { path });
    }
    let intake = add(&mut repository, collected, clock::now(), console)?;
    let report = Report::of(&repository, &intake, args.wait, console)?;
    report.finish(console, args.json.json, "queued")
}

/// Takes files in; what could not even be looked at is refused with the rest.
pub(crate) fn add(
    repository: &mut Repository,
    collected: Collected,
    now: DateTime<Utc>,
    console: &Console,
) -> Result<Intake, Failure> {
    let _progress = progress::watching(repository, console, "reading distributions");
    let mut intake = repository.add_files(&collected.files, now)?;
    intake.refused.extend(collected.refused);
    intake.refused.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(intake)
}
