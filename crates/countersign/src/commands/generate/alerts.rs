//! `countersign generate alerts`.

use crate::console::hand_out;
use crate::failure::Failure;

/// Write alert rules for Prometheus
#[derive(clap::Args)]
pub(crate) struct Args;

pub(crate) fn run(_: &Args) -> Result<(), Failure> {
    hand_out(include_bytes!("templates/alerts.yaml"))
}
