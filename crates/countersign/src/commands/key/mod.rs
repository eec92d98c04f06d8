//! `countersign key`: file keys, for the online roles and for trying out.

mod new;
mod show;

use clap::Subcommand;

pub(crate) use new::{NewKey, make};

use crate::console::Console;
use crate::failure::Failure;

/// Make and look at key files
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    New(new::Args),
    Show(show::Args),
}

pub(crate) fn run(args: Args, console: &Console) -> Result<(), Failure> {
    match args.command {
        Command::New(args) => new::run(&args, console),
        Command::Show(args) => show::run(&args, console),
    }
}
