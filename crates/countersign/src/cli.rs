//! The command line as a whole: what all commands share.

use std::ffi::OsString;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::commands::Command;

/// What the exit codes mean; `exit_code.rs` gives them out.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  refused by a rule or the policy, or failed on this machine
    2  wrong usage
   10  digest or length differs from what is signed, or not readable as metadata
   11  too few valid signatures
   12  expired, or frozen
   13  rolled back to something older
   14  not signed
   20  could not be fetched
   70  defect in this program
   75  another process is signing; try again
  125  `exec` failed before it ran its command; else it ends with that command's code,
       or with 1 where that is 0 and something was refused
  130  interrupted";

/// Signs a Python package index with The Update Framework, and installs from it verified
///
/// Whoever installs from a signed index can tell when a mirror, a CDN or anybody on the way feeds them
/// something other than the latest files the index has signed (PEP 458). Against a thief of the online
/// key only a ceremony helps, which replaces it.
///
/// Try it: `countersign quickstart DIR` signs a folder of wheels and sdists and serves it.
#[derive(Parser)]
#[command(name = "countersign", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How the program talks.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Say less: only errors; twice, not even those
    #[arg(short, long, global = true, action = ArgAction::Count, env = "COUNTERSIGN_QUIET")]
    #[arg(conflicts_with = "verbose")]
    pub(crate) quiet: u8,

    /// Say more: what is done; twice, how; three times, everything
    #[arg(short, long, global = true, action = ArgAction::Count, env = "COUNTERSIGN_VERBOSE")]
    pub(crate) verbose: u8,

    /// How log lines and errors are written to stderr
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    #[arg(env = "COUNTERSIGN_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,

    /// Show no progress bars; without a terminal none are shown anyway
    #[arg(long, global = true, env = "COUNTERSIGN_NO_PROGRESS")]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(crate) no_progress: bool,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Asks for JSON on stdout, on every command that reports.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct JsonArgs {
    /// Report as one JSON object on stdout; later versions may add members
    #[arg(long, env = "COUNTERSIGN_JSON", value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,
}

/// Parses the command line; beside it, the matches of the command that was chosen.
pub(crate) fn parse(args: Vec<OsString>) -> Result<(Cli, ArgMatches), clap::Error> {
    let mut command = command();
    let mut matches = command.try_get_matches_from_mut(args)?;
    let mut chosen = &matches;
    while let Some((_, inner)) = chosen.subcommand() {
        chosen = inner;
    }
    let chosen = chosen.clone();
    let cli =
        Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))?;
    Ok((cli, chosen))
}

/// The command line's description, for parsing, man pages and completions.
pub(crate) fn command() -> clap::Command {
    shown_alike(Cli::command())
}

/// Help names the variable of a flag, never what it holds, so that help is the same everywhere.
fn shown_alike(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| arg.hide_env_values(true))
        .mut_subcommands(shown_alike)
}

/// The TUF conformance suite puts options before the command word: `countersign client --metadata-dir
/// … refresh` is short for `countersign client conformance --metadata-dir … refresh`.
pub(crate) fn in_full(mut args: Vec<OsString>) -> Vec<OsString> {
    let is_short = args.get(1).is_some_and(|word| word == "client")
        && args
            .get(2)
            .and_then(|word| word.to_str())
            .is_some_and(|word| {
                ["--metadata-dir", "--metadata-url", "--target-"]
                    .iter()
                    .any(|option| word.starts_with(option))
            });
    if is_short {
        args.insert(2, "conformance".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_holds_together() {
        command().debug_assert();
    }

    /// DESIGN §9: every flag has its variable; secrets have neither.
    #[test]
    fn every_flag_has_a_variable() {
        fn check(command: &clap::Command, seen: &mut usize) {
            for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
                let long = arg.get_long().expect("every flag has a long form");
                if matches!(long, "help" | "version") {
                    continue;
                }
                let variable = arg.get_env().and_then(|name| name.to_str());
                let variable = variable.unwrap_or_else(|| panic!("--{long} has no variable"));
                let plain = long.to_uppercase().replace('-', "_");
                assert!(
                    variable.starts_with("COUNTERSIGN_") && variable.ends_with(&plain),
                    "--{long} has {variable}"
                );
                *seen += 1;
            }
            command
                .get_subcommands()
                .for_each(|inner| check(inner, seen));
        }
        let mut seen = 0;
        check(&command(), &mut seen);
        assert!(seen > 30, "{seen} flags");
    }

    #[test]
    fn the_suites_form_is_understood() {
        let full = |line: &str| {
            let args = in_full(line.split(' ').map(OsString::from).collect());
            let words: Vec<_> = args.iter().map(|word| word.to_string_lossy()).collect();
            words.join(" ")
        };
        assert_eq!(
            full("countersign client --metadata-dir md init root.json"),
            "countersign client conformance --metadata-dir md init root.json"
        );
        for other in [
            "countersign client refresh --metadata-dir md",
            "countersign client --help",
        ] {
            assert_eq!(full(other), other);
        }
    }
}
