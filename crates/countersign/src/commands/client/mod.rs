//! `countersign client`: what an installer's side does, by hand.

mod audit_env;
mod conformance;
mod download;
mod init;
mod mirror;
mod place;
mod refresh;
mod verify;
mod wanted;

use clap::Subcommand;

pub(crate) use download::{Downloaded, download};
pub(crate) use init::init;
pub(crate) use place::{Place, PlaceArgs, beside, rules, with_slash};

use crate::console::Console;
use crate::failure::Failure;

/// Verify and download from a signed repository
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Args),
    Refresh(refresh::Args),
    Download(download::Args),
    Verify(verify::Args),
    Mirror(mirror::Args),
    AuditEnv(audit_env::Args),
    Conformance(conformance::Args),
}

pub(crate) fn run(args: Args, console: &Console) -> Result<(), Failure> {
    match args.command {
        Command::Init(args) => init::run(&args, console),
        Command::Refresh(args) => refresh::run(&args, console),
        Command::Download(args) => download::run(&args, console),
        Command::Verify(args) => verify::run(&args, console),
        Command::Mirror(args) => mirror::run(&args, console),
        Command::AuditEnv(args) => audit_env::run(&args, console),
        Command::Conformance(args) => conformance::run(args),
    }
}
