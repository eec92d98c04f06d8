//! `countersign generate openapi`.

use crate::console::hand_out;
use crate::failure::Failure;

/// Write the description of the calls that `online serve` answers (`OpenAPI` 3.1)
#[derive(clap::Args)]
pub(crate) struct Args;

pub(crate) fn run(_: &Args) -> Result<(), Failure> {
    let document = intake::open_api();
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    hand_out(text.as_bytes())
}
