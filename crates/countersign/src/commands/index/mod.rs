//! `countersign index`: what is on the index.

mod add;
mod apply;
mod claims;
mod files;
mod init;
mod move_state;
mod move_to;
mod rebin;
mod receive;
mod recover;
mod remove;
mod remove_project;
mod report;
mod status;
mod sync;
mod upgrade;
mod wait;
mod yank;

use clap::Subcommand;
use repository::Repository;

pub(crate) use add::{add, show_refused};
pub(crate) use apply::apply;
pub(crate) use files::{Collected, collect};
pub(crate) use init::{NewIndex, init, policy_text};
pub(crate) use status::alarm_text;

use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::places;

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
    RemoveProject(remove_project::Args),
    Yank(yank::Args),
    Sync(sync::Args),
    Status(status::Args),
    Apply(apply::Args),
    Rebin(Box<rebin::Args>),
    Upgrade(upgrade::Args),
    Recover(recover::Args),
    Move(move_to::Args),
    Claims(Box<claims::Args>),
    Receive(receive::Args),
}

pub(crate) fn run(args: Args, console: &Console) -> Result<(), Failure> {
    match args.command {
        Command::Init(args) => init::run(&args, console),
        Command::Add(args) => add::run(&args, console),
        Command::Remove(args) => remove::run(&args, console),
        Command::RemoveProject(args) => remove_project::run(&args, console),
        Command::Yank(args) => yank::run(&args, console),
        Command::Sync(args) => sync::run(&args, console),
        Command::Status(args) => status::run(&args, console),
        Command::Apply(args) => apply::run(&args, console),
        Command::Rebin(args) => rebin::run(&args, console),
        Command::Upgrade(args) => upgrade::run(&args, console),
        Command::Recover(args) => recover::run(&args, console),
        Command::Move(args) => move_to::run(&args, console),
        Command::Claims(args) => claims::run(&args, console),
        Command::Receive(args) => receive::run(&args, console),
    }
}

fn open(data_dir: &DataDirArgs) -> Result<Repository, Failure> {
    places::open(&data_dir.open())
}
