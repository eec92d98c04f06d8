//! The program `countersign`: everything but the offline ceremonies. One file per command.

mod authorities;
mod certificate;
mod cli;
mod clock;
mod commands;
mod config;
mod console;
mod credentials;
mod data_dir;
mod exit_code;
mod failure;
mod hint;
mod installed;
mod installers;
mod key_service;
mod keyring;
mod logging;
mod netrc;
mod online_keys;
mod panics;
mod places;
mod progress;
mod replace_file;
mod runtime;
mod serve;
mod trusted;

use std::process::ExitCode;

use crate::console::Console;
use crate::failure::Failure;

fn main() -> ExitCode {
    let core_dumps = keys::forbid_core_dumps();
    let args = cli::in_full(std::env::args_os().collect());
    let (cli, matches) = match cli::parse(args) {
        Ok(parsed) => parsed,
        // Help and version are "errors" to clap; it knows stream and code of each.
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            let printed = error.print();
            return ExitCode::from(if printed.is_ok() { code } else { 1 });
        }
    };
    let console = Console::new(&cli.output, &matches);
    logging::start(&cli.output, console.colors());
    if let Err(error) = core_dumps {
        tracing::warn!("core files stay possible: {error}");
    }
    panics::guard(&console, || {
        match commands::run(cli.command, &matches, &console) {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Ended(code)) => ExitCode::from(code),
            Err(failure) => {
                console.fail(&failure);
                ExitCode::from(exit_code::of(&failure))
            }
        }
    })
}
