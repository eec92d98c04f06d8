//! `countersign key`: keys wherever they live. What the commands do stands in `ceremony`, which has them
//! too; added here are the keys that need a network.

use ceremony::key_command::KeyArgs;
use policy::SignerLimits;

use crate::console::Console;
use crate::failure::Failure;
use crate::key_service::KmsArgs;
use crate::online_keys::with_edge;

/// Make, show, list, check and convert keys
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Report as one JSON object on stdout; later versions may add members
    #[arg(long, global = true, env = "COUNTERSIGN_JSON")]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    json: bool,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    kms: KmsArgs,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let outcome = with_edge(&args.kms.opener(&SignerLimits::default()), |edge| {
        args.key.run(edge)
    })?;
    console.report(args.json, &outcome.json, || outcome.text)
}
