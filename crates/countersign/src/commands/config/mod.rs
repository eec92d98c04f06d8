//! `countersign config`: the settings in force.

mod show;

use clap::{ArgMatches, Subcommand};

use crate::console::Console;
use crate::failure::Failure;

/// See the settings of an index
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Show(show::Args),
}

pub(crate) fn run(args: Args, matches: &ArgMatches, console: &Console) -> Result<(), Failure> {
    match args.command {
        Command::Show(args) => show::run(&args, matches, console),
    }
}
