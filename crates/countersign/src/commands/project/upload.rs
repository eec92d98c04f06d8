//! `countersign project upload`: one archive, to the index and on to its clients.

use std::path::{Path, PathBuf};

use developer::ProjectFolder;
use serde::Serialize;

use super::FolderArgs;
use super::arrival::{Arrived, LookArgs, WaitArgs};
use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::index::collect;
use crate::console::Console;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::places;

/// Send everything that waits, with its files, to the index
///
/// It becomes one archive, which is checked as the index checks it; what would be refused is not
/// written. With --to the archive is written, for `countersign project send` to hand in at the index's
/// intake, or to be carried to `countersign index receive`; with --into an index on this machine takes it.
/// With --wait this returns once clients see it, by whatever way it was carried, and has verified it as one
/// of them; else say `countersign project accepted` once the index has taken it.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The new wheels and sdists, or folders with them
    #[arg(value_name = "FILE|DIR")]
    distributions: Vec<PathBuf>,

    /// Archive to write
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TO")]
    #[arg(required_unless_present = "into")]
    to: Option<PathBuf>,

    /// Data directory of an index on this machine that takes the archive
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_INTO")]
    into: Option<PathBuf>,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    look: LookArgs,

    #[command(flatten)]
    folder: FolderArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    project: String,
    /// Where it was written.
    archive: Option<PathBuf>,
    /// Whether an index on this machine has taken it.
    taken: bool,
    is_first: bool,
    roles: Vec<String>,
    new_files: Vec<String>,
    given_up: Vec<String>,
    sub_roles: usize,
    roles_visited: usize,
    /// What a client has seen, where that was waited for.
    arrived: Option<Arrived>,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let folder = args.folder.open()?;
    // What can fail without harm fails first.
    let updater = args.look.updater()?;
    let files = collect(&args.distributions).files;
    let scratch = tempfile::tempdir().map_err(|source| Failure::Io {
        doing: "make",
        path: std::env::temp_dir(),
        source,
    })?;
    let archive = args.to.clone();
    let archive = archive.unwrap_or_else(|| scratch.path().join("transaction.zip"));
    let accepted = folder.upload(&files, &archive, clock::now())?;
    if let Some(into) = &args.into {
        deliver(&folder, &archive, into)?;
    }
    let role = |role: &claims::AcceptedRole| format!("{} v{}", role.name, role.version);
    let mut report = Report {
        project: accepted.project.to_string(),
        archive: args.to.clone(),
        taken: args.into.is_some(),
        is_first: accepted.is_first,
        roles: accepted.roles.iter().map(role).collect(),
        new_files: accepted
            .new_files
            .iter()
            .map(|new| new.filename.to_string())
            .collect(),
        given_up: accepted.withdrawn.iter().map(ToString::to_string).collect(),
        sub_roles: accepted.layout.sub_roles,
        roles_visited: accepted.layout.roles_visited,
        arrived: None,
    };
    if let Some(updater) = updater.filter(|_| args.wait.wait) {
        let new = accepted.new_files.iter();
        let new: Vec<_> = new.map(|new| new.filename.clone()).collect();
        report.arrived = Some(args.wait.arrived(&updater, &folder, &new, console)?);
        folder.accepted()?;
    }
    console.report(args.json.json, &report, || report.text())
}

/// Has an index on this machine take the archive; what it refuses waits again.
fn deliver(folder: &ProjectFolder, archive: &Path, into: &Path) -> Result<(), Failure> {
    let mut index = places::open(&DataDir::at(into.to_owned()))?;
    match index.receive_transaction(archive, clock::now())? {
        Ok(_) => Ok(()),
        Err(error) => {
            folder.refused()?;
            Err(Failure::Receive(Box::new(error)))
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        if let Some(archive) = &self.archive {
            lines.push(format!("wrote {}", archive.display()));
        }
        if self.taken {
            lines.push("queued: the index has taken it".to_owned());
        }
        lines.extend(self.roles.iter().map(|role| format!("  {role}")));
        lines.extend(self.new_files.iter().map(|file| format!("  + {file}")));
        lines.extend(self.given_up.iter().map(|file| format!("  - {file}")));
        if let Some(arrived) = &self.arrived {
            lines.push(arrived.text());
        }
        lines.push(format!(
            "a lookup visits {} delegated roles",
            self.roles_visited
        ));
        lines.join("\n")
    }
}
