//! The `key` commands of both programs: make, show, list, check and convert keys wherever they live.
//! Nothing is printed here; what the programs differ in, they hand in as an [`Edge`].

mod check;
mod convert;
mod edge;
mod error;
mod hint;
mod list;
mod named;
mod new;
mod passphrases;
mod report;
mod show;

use clap::Subcommand;
use serde_json::Value;

pub use edge::{Edge, KeyName, Opened, Reach, ReachArgs};
pub use error::KeyCommandError;
pub use hint::hint;
pub use named::NamesKeys;
pub use new::{NewFile, make_file};
pub use passphrases::{PassphraseArgs, Source, one_each};
pub use report::numbered_words;

/// Make, show, list, check and convert keys
#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::Args),
    Show(show::Args),
    List(list::Args),
    Check(check::Args),
    Convert(convert::Args),
}

/// What a command has to say: the same for people and for programs.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Lines for people.
    pub text: String,
    /// One JSON object.
    pub json: Value,
}

impl KeyArgs {
    /// Carries the command out.
    pub fn run(&self, edge: &Edge<'_>) -> Result<Outcome, KeyCommandError> {
        match &self.command {
            Command::New(args) => args.run(edge),
            Command::Show(args) => args.run(edge),
            Command::List(args) => args.run(edge),
            Command::Check(args) => args.run(edge),
            Command::Convert(args) => args.run(edge),
        }
    }
}
