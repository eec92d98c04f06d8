//! `generate`: what goes with the program, from the program itself.

use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;
use serde_json::json;

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
            What::Man { command: path } => render(command, path, &mut out)?,
        }
        let text = String::from_utf8_lossy(&out).into_owned();
        let json = json!({ "text": text });
        Ok(Report::new(text, json))
    }
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
