//! `countersign project accepted` and `refused`: what became of an upload.

use metadata::RoleName;
use serde::Serialize;

use super::FolderArgs;
use crate::cli::JsonArgs;
use crate::console::Console;
use crate::failure::Failure;

/// Note what the index did with the archive that `upload` wrote
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
}

pub(super) fn accepted(args: &Args, console: &Console) -> Result<(), Failure> {
    let roles = args.folder.open()?.accepted()?;
    report(args, console, &roles, "is published")
}

pub(super) fn refused(args: &Args, console: &Console) -> Result<(), Failure> {
    let roles = args.folder.open()?.refused()?;
    report(args, console, &roles, "waits again")
}

fn report(args: &Args, console: &Console, roles: &[RoleName], what: &str) -> Result<(), Failure> {
    let report = Report {
        roles: roles.iter().map(ToString::to_string).collect(),
    };
    console.report(args.json.json, &report, || {
        let line = |role: &String| format!("{role} {what}\n");
        report.roles.iter().map(line).collect()
    })
}
