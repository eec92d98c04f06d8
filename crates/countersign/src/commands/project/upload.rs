//! `countersign project upload`: one archive for the index.

use std::path::PathBuf;

use serde::Serialize;

use super::FolderArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::index::collect;
use crate::console::Console;
use crate::failure::Failure;

/// Write everything that waits, with its files, into one archive for the index
///
/// The archive is checked as the index checks it; what would be refused is not written. Say
/// `countersign project accepted` once the index has taken it.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The new wheels and sdists, or folders with them
    #[arg(value_name = "FILE|DIR")]
    distributions: Vec<PathBuf>,

    /// Archive to write
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TO")]
    to: PathBuf,

    #[command(flatten)]
    folder: FolderArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    project: String,
    archive: PathBuf,
    is_first: bool,
    roles: Vec<String>,
    new_files: Vec<String>,
    given_up: Vec<String>,
    sub_roles: usize,
    roles_visited: usize,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let folder = args.folder.open()?;
    let files = collect(&args.distributions).files;
    let accepted = folder.upload(&files, &args.to, clock::now())?;
    let role = |role: &claims::AcceptedRole| format!("{} v{}", role.name, role.version);
    let report = Report {
        project: accepted.project.to_string(),
        archive: args.to.clone(),
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
    };
    console.report(args.json.json, &report, || report.text())
}

impl Report {
    fn text(&self) -> String {
        let mut lines = vec![format!("wrote {}", self.archive.display())];
        lines.extend(self.roles.iter().map(|role| format!("  {role}")));
        lines.extend(self.new_files.iter().map(|file| format!("  + {file}")));
        lines.extend(self.given_up.iter().map(|file| format!("  - {file}")));
        lines.push(format!(
            "a lookup visits {} delegated roles",
            self.roles_visited
        ));
        lines.join("\n")
    }
}
