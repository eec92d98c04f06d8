//! `countersign trust show`: a trusted index, with the fingerprints that others can compare.

use super::report::Report;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::failure::Failure;
use crate::runtime;
use crate::trusted::HomeArgs;

/// Show an index: root, fingerprints, what was verified last
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its name; may be left out where there is only one
    name: Option<String>,

    #[command(flatten)]
    home: HomeArgs,

    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let entry = args.home.open()?.chosen(args.name.as_deref())?;
    let report = runtime::run(async { Report::of(&entry, clock::now()).await })?;
    console.report(args.json.json, &report, || report.text())
}
