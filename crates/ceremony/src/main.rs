//! `countersign-ceremony`: plans, reviews, signs, combines and verifies key ceremonies. Runs from a
//! stick on a machine without network; everything it writes is a file that people can read.

mod cli;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, output};

fn main() -> ExitCode {
    if let Err(error) = keys::forbid_core_dumps() {
        output::warn(&format!("core files stay possible: {error}"));
    }
    let Cli { command, json } = Cli::parse();
    let done = match command {
        Command::Plan(args) => args.run(),
        Command::Review(args) => args.run(),
        Command::Sign(args) => args.run(),
        Command::Status(args) => args.run(),
        Command::Combine(args) => args.run(),
        Command::Verify(args) => args.run(),
        Command::Key(args) => cli::key(&args),
    };
    match done {
        Ok(report) => output::show(&report, json),
        Err(failure) => output::show_failure(&failure, json),
    }
}
