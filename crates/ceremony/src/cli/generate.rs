//! `generate`: what goes with the program, from the program itself.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;
use countersign_ceremony::blank_papers;
use serde_json::json;

use super::files::create;
use super::output::Report;
use super::{Cli, Done, Failure};

/// Write shell completions and man pages
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the completions of a shell to stdout
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write every script and form of ceremonies, with blanks, into a folder
    Papers {
        /// The folder
        folder: PathBuf,
    },
    /// Write the man page of the program, or of one command, to stdout
    Man {
        /// The command, such as `plan genesis`
        command: Vec<String>,
    },
}

impl Args {
    pub(crate) fn run(&self) -> Done {
        let mut command = Cli::command().propagate_version(true);
        let mut out = Vec::new();
        match &self.what {
            What::Completions { shell } => {
                clap_complete::generate(*shell, &mut command, "countersign-ceremony", &mut out);
            }
            What::Papers { folder } => return papers(folder),
            What::Man { command: path } => render(command, path, &mut out)?,
        }
        let text = String::from_utf8_lossy(&out).into_owned();
        let json = json!({ "text": text });
        Ok(Report::new(text, json))
    }
}

fn papers(folder: &Path) -> Done {
    let papers = blank_papers();
    for paper in &papers {
        let path = folder.join(&paper.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|source| Failure::Write {
                path: parent.to_owned(),
                source,
            })?;
        }
        create(&path, paper.text.as_bytes())?;
    }
    let count = papers.len();
    let text = format!("{count} papers written to {}\n", folder.display());
    Ok(Report::new(text, json!({ "papers": count })))
}

/// The page of a command, under the name it has beside the others.
fn render(mut command: clap::Command, path: &[String], out: &mut Vec<u8>) -> Result<(), Failure> {
    command.build();
    let mut name = command.get_name().to_owned();
    for one in path {
        let unknown = || Failure::UnknownCommand {
            name: path.join(" "),
        };
        command = command.find_subcommand(one).ok_or_else(unknown)?.clone();
        name = format!("{name}-{one}");
    }
    let page = clap_mangen::Man::new(command.display_name(&name)).title(name);
    page.render(out)
        .map_err(|source| Failure::Output { source })
}
