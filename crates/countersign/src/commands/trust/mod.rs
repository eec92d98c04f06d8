//! `countersign trust`: which indexes this user trusts, and why. Nothing is trusted because it came
//! first.

mod add;
mod export;
mod list;
mod remove;
mod report;
mod show;

use clap::Subcommand;

pub(crate) use report::StateReport;

use crate::console::Console;
use crate::failure::Failure;

/// Say which indexes are trusted, from which root on
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Add(Box<add::Args>),
    List(list::Args),
    Show(show::Args),
    Export(export::Args),
    Remove(remove::Args),
}

pub(crate) fn run(args: Args, console: &Console) -> Result<(), Failure> {
    match args.command {
        Command::Add(args) => add::run(&args, console),
        Command::List(args) => list::run(&args, console),
        Command::Show(args) => show::run(&args, console),
        Command::Export(args) => export::run(&args, console),
        Command::Remove(args) => remove::run(&args, console),
    }
}
