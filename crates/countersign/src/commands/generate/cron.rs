//! `countersign generate cron`.

use super::units::UnitArgs;
use crate::console::hand_out;
use crate::failure::Failure;

/// Write a crontab: cycles, sweeps and checks
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    units: UnitArgs,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let crontab = args.units.fill(include_str!("templates/crontab"));
    hand_out(crontab.as_bytes())
}
