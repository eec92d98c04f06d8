//! `countersign index remove-project`: queues the removal of all files of a project.

use super::report::Report;
use super::wait::WaitArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;

/// Queue the removal of every file of a project
///
/// Its page stays, empty and signed, and the names of its files stay taken.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The project's name
    project: String,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = super::open(&args.data_dir)?;
    let intake = repository.remove_project(&args.project, clock::now())?;
    let report = Report::of(&repository, &intake, args.wait, console)?;
    report.finish(console, args.json.json, "queued for removal")
}
