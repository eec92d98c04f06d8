//! `countersign index upgrade`: brings an older index to what this program reads.

use serde::Serialize;

use crate::cli::JsonArgs;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::places;

/// Bring an index of an older version to this one
///
/// Copy its state.sqlite first: the older program cannot read what this one makes of it.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    from: i64,
    to: i64,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let data_dir = args.data_dir.open();
    let from = places::upgrade(&data_dir)?;
    let to = places::upgrade(&data_dir)?;
    let report = Report { from, to };
    console.report(args.json.json, &report, || {
        if from == to {
            format!("the index has schema version {to} already\n")
        } else {
            format!("upgraded the index from schema version {from} to {to}\n")
        }
    })
}
