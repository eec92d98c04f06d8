//! `countersign generate completions`.

use clap_complete::Shell;

use crate::cli;
use crate::console::hand_out;
use crate::failure::Failure;

/// Write the completions of a shell to stdout
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "countersign", &mut out);
    hand_out(&out)
}
