//! `countersign index`: what is on the index.

mod add;
mod apply;
mod claims;
mod files;
mod init;
mod remove;
mod report;
mod status;

use clap::Subcommand;

pub(crate) use add::{add, show_refused};
pub(crate) use apply::apply;
pub(crate) use files::{Collected, collect};
pub(crate) use init::{NewIndex, init, policy_text};

use crate::console::Console;
use crate::failure::Failure;

/// Set up an index, change what is on it, see where it stands
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Args),
    Add(add::Args),
    Remove(remove::Args),
    Status(status::Args),
    Apply(apply::Args),
    Claims(Box<claims::Args>),
}

pub(crate) fn run(args: Args, console: &Console) -> Result<(), Failure> {
    match args.command {
        Command::Init(args) => init::run(&args, console),
        Command::Add(args) => add::run(&args, console),
        Command::Remove(args) => remove::run(&args, console),
        Command::Status(args) => status::run(&args, console),
        Command::Apply(args) => apply::run(&args, console),
        Command::Claims(args) => claims::run(&args, console),
    }
}
