//! `countersign trust list`: the indexes that are trusted.

use serde::Serialize;

use super::report::Report;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::failure::Failure;
use crate::runtime;
use crate::trusted::HomeArgs;

/// List the indexes that are trusted
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Reports {
    indexes: Vec<Report>,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let entries = args.home.open()?.entries()?;
    let indexes = runtime::run(async {
        let mut indexes = Vec::new();
        for entry in &entries {
            indexes.push(Report::of(entry, clock::now()).await?);
        }
        Ok(indexes)
    })?;
    let reports = Reports { indexes };
    console.report(args.json.json, &reports, || {
        if entries.is_empty() {
            return "No index is trusted; `countersign trust add` trusts one.".to_owned();
        }
        let width = entries.iter().map(|it| it.name().len()).max().unwrap_or(0);
        let line = |it: &crate::trusted::Entry| {
            format!(
                "{:<width$}  {}  root sha256:{}",
                it.name(),
                it.anchor().url,
                it.anchor().sha256()
            )
        };
        entries.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}
