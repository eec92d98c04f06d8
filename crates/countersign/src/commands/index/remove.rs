//! `countersign index remove`: queues removals.

use super::report::Report;
use super::wait::WaitArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;

/// Queue the removal of files
///
/// A removed file's name stays taken: it can come back with the same bytes only.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File names, as on the project's page
    #[arg(required = true, value_name = "FILENAME")]
    filenames: Vec<String>,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = super::open(&args.data_dir)?;
    let intake = repository.remove_files(&args.filenames, clock::now())?;
    let report = Report::of(&repository, &intake, args.wait, console)?;
    report.finish(console, args.json.json, "queued for removal")
}
