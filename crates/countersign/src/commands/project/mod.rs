//! `countersign project`: what developers do who sign their releases themselves (PEP 480).

mod claim;
mod send;
mod settle;
mod sign;
mod signing;
mod status;
mod sub_role;
mod upload;

use std::path::PathBuf;

use clap::Subcommand;
use developer::ProjectFolder;

pub(crate) use send::DeliveryError;
pub(crate) use signing::{public_key, read};

use crate::commands::key;
use crate::console::Console;
use crate::failure::Failure;

/// Claim a project, sign its releases, name its maintainers
///
/// The developers' side of PEP 480: from the first release on, what clients install of the project is
/// what its developers have signed. `countersign index receive` takes claims and releases in.
///
/// Everything is kept in one folder, and every step works offline: copy the folder to the next
/// maintainer, and carry the archive that `upload` writes to the index.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Key(Box<key::Args>),
    Claim(Box<claim::Args>),
    Sign(Box<sign::Args>),
    SubRole(Box<sub_role::Args>),
    Upload(upload::Args),
    Send(send::Args),
    Accepted(settle::Args),
    Refused(settle::Args),
    Status(status::Args),
}

/// Which project a command works on.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FolderArgs {
    /// Folder of the project: its claim and its roles
    #[arg(long, value_name = "DIR", default_value = "countersign-project")]
    #[arg(env = "COUNTERSIGN_PROJECT_DIR")]
    project_dir: PathBuf,
}

impl FolderArgs {
    fn open(&self) -> Result<ProjectFolder, Failure> {
        Ok(ProjectFolder::open(&self.project_dir)?)
    }
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    match &args.command {
        Command::Key(args) => key::run(args, console),
        Command::Claim(args) => claim::run(args, console),
        Command::Sign(args) => sign::run(args, console),
        Command::SubRole(args) => sub_role::run(args, console),
        Command::Upload(args) => upload::run(args, console),
        Command::Send(args) => send::run(args, console),
        Command::Accepted(args) => settle::accepted(args, console),
        Command::Refused(args) => settle::refused(args, console),
        Command::Status(args) => status::run(args, console),
    }
}
