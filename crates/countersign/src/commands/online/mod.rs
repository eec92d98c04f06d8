//! `countersign online`: what signs while nobody watches.

mod metrics;
mod only;
mod plan;
mod run;
mod serve;
mod sweep;
mod tick;
mod token;

use clap::Subcommand;

pub(crate) use run::Keeper;
pub(crate) use tick::tick;

use crate::console::Console;
use crate::failure::Failure;

/// Sign and publish what is due, with the online keys
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Tick(tick::Args),
    Run(run::Args),
    Plan(plan::Args),
    Sweep(sweep::Args),
    Serve(serve::Args),
    Token(token::Args),
}

pub(crate) fn run(args: Args, console: &Console) -> Result<(), Failure> {
    match args.command {
        Command::Tick(args) => tick::run(&args, console),
        Command::Run(args) => run::run(&args, console),
        Command::Plan(args) => plan::run(&args, console),
        Command::Sweep(args) => sweep::run(&args, console),
        Command::Serve(args) => serve::run(&args, console),
        Command::Token(args) => token::run(&args, console),
    }
}
