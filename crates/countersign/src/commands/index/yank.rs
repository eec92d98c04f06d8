//! `countersign index yank`: marks files that resolvers should pass over (PEP 592).

use clap::builder::FalseyValueParser;
use index::Yanked;

use super::report::Report;
use super::wait::WaitArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;

/// Queue that files are yanked, or are no more
///
/// Installers pass over a yanked file unless exactly its version is asked for. It stays signed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File names, as on the project's page
    #[arg(required = true, value_name = "FILENAME")]
    filenames: Vec<String>,

    /// Why, as installers show it
    #[arg(long, value_name = "TEXT", env = "COUNTERSIGN_REASON")]
    #[arg(conflicts_with = "undo")]
    reason: Option<String>,

    /// Take it back
    #[arg(long, env = "COUNTERSIGN_UNDO", value_parser = FalseyValueParser::new())]
    undo: bool,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = super::open(&args.data_dir)?;
    let yanked = match &args.reason {
        _ if args.undo => Yanked::No,
        Some(reason) if !reason.is_empty() => Yanked::Because(reason.clone()),
        _ => Yanked::Yes,
    };
    let intake = repository.yank_files(&args.filenames, &yanked, clock::now())?;
    let report = Report::of(&repository, &intake, args.wait, console)?;
    let verb = if args.undo {
        "queued to be yanked no more"
    } else {
        "queued to be yanked"
    };
    report.finish(console, args.json.json, verb)
}
