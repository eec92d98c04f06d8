//! `countersign index recover`: brings a state restored from a backup forward to what is published.

use serde::Serialize;

use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::progress;

/// Take over what is published into a state restored from a backup
///
/// A backup is behind what clients have seen; going on from it would go backwards, and cycles refuse
/// to. This reads what is published, verified as a client does, and gives up every version that was
/// ever used. What was queued after the backup is lost and has to be queued again.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    timestamp: u64,
    files_found: usize,
    files_gone: usize,
    roles_given_up: usize,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = super::open(&args.data_dir)?;
    let progress = progress::watching(&mut repository, console, "reading what is published");
    let done = repository.recover_from_store(clock::now())?;
    drop(progress);
    let report = Report {
        timestamp: done.timestamp.get(),
        files_found: done.files_found,
        files_gone: done.files_gone,
        roles_given_up: done.given_up.len(),
    };
    console.report(args.json.json, &report, || {
        format!(
            "took over what timestamp v{} leads to: {} files found, {} gone\n\
             next: `countersign online tick` publishes on from there\n",
            report.timestamp, report.files_found, report.files_gone
        )
    })
}
