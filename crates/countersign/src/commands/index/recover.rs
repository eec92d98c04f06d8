//! `countersign index recover`: brings a state restored from a backup forward to what is published.

use index::ProjectName;
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
/// ever used. Run it after every restore, even if cycles would go on: what was queued or registered
/// after the backup and is not published is lost, and nothing else can tell.
///
/// Where developers sign, keys registered since the backup are lost with it, perhaps those that were to
/// replace stolen ones. So nothing is taken of a project until `countersign index
/// claims confirm` says that its keys are right, or a new grant brings others; and no grant of before
/// the recovery is taken.
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
    /// Projects whose developers sign, as published.
    claims: usize,
    /// Those of which nothing is taken until the operator confirms their keys or grants others.
    held: Vec<String>,
    /// Those that were released since the backup.
    released: Vec<String>,
    /// What developers had sent before the backup and has to be sent again.
    refused: usize,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = super::open(&args.data_dir)?;
    let progress = progress::watching(&mut repository, console, "reading what is published");
    let done = repository.recover_from_store(clock::now())?;
    drop(progress);
    let names = |projects: &[ProjectName]| projects.iter().map(ToString::to_string).collect();
    let report = Report {
        timestamp: done.timestamp.get(),
        files_found: done.files_found,
        files_gone: done.files_gone,
        roles_given_up: done.given_up.len(),
        claims: done.claims,
        held: names(&done.held),
        released: names(&done.released),
        refused: done.refused,
    };
    console.report(args.json.json, &report, || report.text())
}

impl Report {
    fn text(&self) -> String {
        let mut lines = vec![format!(
            "took over what timestamp v{} leads to: {} files found, {} gone",
            self.timestamp, self.files_found, self.files_gone
        )];
        if self.claims + self.held.len() + self.released.len() > 0 {
            lines.push(format!("developers sign {} projects", self.claims));
        }
        if !self.released.is_empty() {
            let released = self.released.join(", ");
            lines.push(format!("released since the backup: {released}"));
        }
        if self.refused > 0 {
            lines.push(format!(
                "refused: {} claims, transactions and releases of before the backup; they have to be \
                 sent again",
                self.refused
            ));
        }
        if !self.held.is_empty() {
            lines.push(format!("held: {}", self.held.join(", ")));
            lines.push(
                "  keys registered since the backup and not published are lost; look at `countersign \
                 index claims list`, then say `countersign index claims confirm`"
                    .to_owned(),
            );
        }
        lines.push("next: `countersign online tick` publishes on from there\n".to_owned());
        lines.join("\n")
    }
}
