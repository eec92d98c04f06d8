//! The command line: one file per command.

mod combine;
mod destroy;
mod exchange;
mod failure;
mod files;
mod generate;
mod join;
mod merge;
pub(crate) mod output;
mod plan;
mod review;
mod sign;
mod status;
mod transcript;
mod verify;

use clap::{Parser, Subcommand};
use countersign_ceremony::key_command::{Edge, KeyArgs};

use failure::Failure;
use output::Report;

/// What the exit codes mean; shown under `--help`.
const EXIT_CODES: &str = "\
Exit codes:
   0  done
   1  refused by a rule or the policy, or failed on this machine
   2  wrong usage
  10  a digest differs from the one written down
  11  too few valid signatures, or one that is not valid
  70  defect in this program";

/// Key ceremonies for a signed package index: offline, by several people
///
/// An event is a folder. Plan it, let every holder review and sign it on their own machine, combine
/// the signatures, and hand the folder `publish-set` to the index. Nothing is ever overwritten.
#[derive(Debug, Parser)]
#[command(name = "countersign-ceremony", version, after_help = EXIT_CODES)]
#[command(max_term_width = 100)]
pub(crate) struct Cli {
    /// Report as JSON
    #[arg(long, global = true, env = "COUNTERSIGN_JSON")]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write an invitation, for which holders prove their keys
    Invite(join::Invite),
    /// Prove a key for an invitation
    Join(join::Args),
    /// Write a new event folder
    Plan(plan::Args),
    /// Say in words what an event will sign
    Review(review::Args),
    /// Give the signatures of one or more keys
    Sign(sign::Args),
    /// Say who has signed and who has not
    Status(status::Args),
    /// Write out the bytes to sign, for another program
    ExportPayload(exchange::Export),
    /// Take in a signature that another program made
    ImportSignature(exchange::Import),
    /// Put copies of an event together
    Merge(merge::Args),
    /// Put documents and signatures together into the files for the index
    Combine(combine::Args),
    /// Check everything again from the folder alone
    Verify(verify::Args),
    /// Show who did what, as the transcript has it
    Transcript(transcript::Args),
    /// Destroy a key file that was made for one ceremony
    Destroy(destroy::Args),
    /// Write shell completions and man pages
    Generate(generate::Args),
    Key(Box<KeyArgs>),
}

/// What this program brings to opening keys: nothing that needs a network.
fn edge() -> Edge<'static> {
    Edge {
        openers: &[],
        child_log: Some(|key, line| output::warn(&format!("{key}: {line}"))),
        warn: &|warning| {
            let remedy = warning.remedy("countersign-ceremony");
            output::warn(&format!("{warning}\nhint: {remedy}"));
        },
    }
}

/// Makes, shows, lists, checks or converts keys.
pub(crate) fn key(args: &KeyArgs) -> Done {
    let outcome = args.run(&edge())?;
    Ok(Report::new(outcome.text, outcome.json))
}

/// What a command ends with.
type Done = Result<Report, Failure>;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    /// Flags about one run, and those of clap itself.
    const WITHOUT: [&str; 2] = ["help", "version"];

    fn flags_without_variable(command: &clap::Command, found: &mut Vec<String>) {
        for one in command.get_arguments().filter(|one| !one.is_positional()) {
            if one.get_env().is_none() && !WITHOUT.contains(&one.get_id().as_str()) {
                found.push(format!("{} --{}", command.get_name(), one.get_id()));
            }
        }
        for one in command.get_subcommands() {
            flags_without_variable(one, found);
        }
    }

    #[test]
    fn every_flag_has_a_variable() {
        let mut found = Vec::new();
        flags_without_variable(&Cli::command(), &mut found);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
