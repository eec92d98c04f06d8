//! `countersign generate`: what goes with the program, from the program itself.

mod completions;
mod man;

use clap::Subcommand;

use crate::failure::Failure;

/// Write shell completions and man pages
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Completions(completions::Args),
    Man(man::Args),
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
