//! `countersign trust remove`: an index is nobody's any more.

use serde::Serialize;

use crate::cli::JsonArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::trusted::HomeArgs;

/// Trust an index no longer, and remove its caches
///
/// What was verified of it is forgotten, too: whoever trusts it again can be shown any older state
/// that has not expired, unless least versions are given with it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its name
    name: String,

    #[command(flatten)]
    home: HomeArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Removed<'a> {
    removed: &'a str,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    args.home.open()?.remove(&args.name)?;
    let removed = Removed {
        removed: &args.name,
    };
    console.report(args.json.json, &removed, || {
        format!("{} is no longer trusted; its caches are gone", args.name)
    })
}
