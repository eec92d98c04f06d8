//! The table of commands.

mod audit;
pub(crate) mod client;
mod config;
mod doctor;
mod exec;
mod generate;
mod index;
mod key;
mod online;
mod project;
mod proxy;
mod quickstart;
mod serve;
mod trust;
mod verify_lock;

use clap::{ArgMatches, Subcommand};

use crate::console::Console;
use crate::failure::Failure;

pub(crate) use exec::ExecError;
pub(crate) use project::DeliveryError;

/// What the program can do.
#[derive(Subcommand)]
pub(crate) enum Command {
    Quickstart(quickstart::Args),
    Index(index::Args),
    Online(online::Args),
    Serve(serve::Args),
    Client(client::Args),
    Trust(trust::Args),
    Exec(exec::Args),
    VerifyLock(verify_lock::Args),
    Proxy(proxy::Args),
    Doctor(doctor::Args),
    Audit(audit::Args),
    Key(Box<key::Args>),
    Project(project::Args),
    Config(config::Args),
    Generate(generate::Args),
}

/// Runs a command.
pub(crate) fn run(
    command: Command,
    matches: &ArgMatches,
    console: &Console,
) -> Result<(), Failure> {
    match command {
        Command::Quickstart(args) => quickstart::run(&args, console),
        Command::Index(args) => index::run(args, console),
        Command::Online(args) => online::run(args, console),
        Command::Serve(args) => serve::run(&args, console),
        Command::Client(args) => client::run(args, console),
        Command::Trust(args) => trust::run(args, console),
        Command::Exec(args) => exec::run(&args, console),
        Command::Doctor(args) => doctor::run(&args, console),
        Command::VerifyLock(args) => verify_lock::run(&args, console),
        Command::Proxy(args) => proxy::run(&args, console),
        Command::Audit(args) => audit::run(&args, console),
        Command::Key(args) => key::run(&args, console),
        Command::Project(args) => project::run(&args, console),
        Command::Config(args) => config::run(args, matches, console),
        Command::Generate(args) => generate::run(args),
    }
}
