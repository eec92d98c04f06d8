//! `countersign project accepted` and `refused`: what became of an upload.

use metadata::RoleName;
use serde::Serialize;

use super::FolderArgs;
use super::arrival::{Arrived, LookArgs, WaitArgs};
use crate::cli::JsonArgs;
use crate::console::Console;
use crate::failure::Failure;

/// Note that the index took the archive that `upload` wrote
///
/// With --index it is looked up as a client does it, and noted only if clients see it.
#[derive(clap::Args)]
pub(super) struct AcceptedArgs {
    #[command(flatten)]
    settle: Args,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    look: LookArgs,
}

/// Note that the index refused the archive that `upload` wrote: it waits again, to be changed
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: FolderArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    roles: Vec<String>,
    /// What a client has seen, where an index was named.
    arrived: Option<Arrived>,
}

pub(super) fn accepted(args: &AcceptedArgs, console: &Console) -> Result<(), Failure> {
    let folder = args.settle.folder.open()?;
    let updater = args.look.updater()?;
    let arrived = updater.map(|updater| args.wait.arrived(&updater, &folder, &[], console));
    let arrived = arrived.transpose()?;
    let roles = folder.accepted()?;
    report(&args.settle, console, &roles, "is published", arrived)
}

pub(super) fn refused(args: &Args, console: &Console) -> Result<(), Failure> {
    let roles = args.folder.open()?.refused()?;
    report(args, console, &roles, "waits again", None)
}

fn report(
    args: &Args,
    console: &Console,
    roles: &[RoleName],
    what: &str,
    arrived: Option<Arrived>,
) -> Result<(), Failure> {
    let report = Report {
        roles: roles.iter().map(ToString::to_string).collect(),
        arrived,
    };
    console.report(args.json.json, &report, || {
        let line = |role: &String| format!("{role} {what}\n");
        let lines: String = report.roles.iter().map(line).collect();
        lines
            + &report
                .arrived
                .as_ref()
                .map_or_else(String::new, Arrived::text)
    })
}
