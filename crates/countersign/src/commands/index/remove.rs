//! `countersign index remove`: queues removals.

use repository::Repository;

use super::report::{Report, show_refused};
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
    json: JsonArgs,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = Repository::open(args.data_dir.open().path())?;
    let intake = repository.remove_files(&args.filenames, clock::now())?;
    show_refused(&intake.refused);
    Report::new(&intake).finish(console, args.json.json, "queued for removal")
}
