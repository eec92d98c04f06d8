//! `countersign online sweep`: deletes what no client can need any more.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use repository::SweepReport;
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::places;
use crate::progress::Progress;

/// Delete what no timestamp that a client may still hold leads to
///
/// Roots stay for ever; everything else stays until the policy's `retention.snapshots` after the last
/// timestamp that named it has expired.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    /// Only say what would be deleted
    #[arg(long, env = "COUNTERSIGN_DRY_RUN", value_parser = FalseyValueParser::new())]
    dry_run: bool,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    dry_run: bool,
    objects: Vec<String>,
    uploads: Vec<PathBuf>,
    kept: usize,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = places::open(&args.data_dir.open())?;
    let progress = Progress::spinner(console, "sweeping");
    let swept = if args.dry_run {
        repository.plan_sweep(clock::now())?
    } else {
        repository.sweep(clock::now())?
    };
    drop(progress);
    let report = Report::new(args.dry_run, swept);
    console.report(args.json.json, &report, || report.text())
}

impl Report {
    fn new(dry_run: bool, swept: SweepReport) -> Self {
        let objects = swept.objects.iter().map(ToString::to_string);
        Self {
            dry_run,
            objects: objects.collect(),
            uploads: swept.uploads,
            kept: swept.kept,
        }
    }

    fn text(&self) -> String {
        let mut out = Vec::new();
        if self.dry_run {
            out.extend(self.objects.iter().map(|path| format!("delete {path}")));
            let uploads = self.uploads.iter();
            out.extend(uploads.map(|path| format!("delete {}", path.display())));
        }
        let verb = if self.dry_run { "to delete" } else { "deleted" };
        out.push(format!(
            "{} objects and {} stray uploads {verb}, {} objects kept",
            self.objects.len(),
            self.uploads.len(),
            self.kept
        ));
        out.join("\n")
    }
}
