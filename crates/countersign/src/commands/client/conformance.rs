//! `countersign client conformance`: the client under test of the TUF conformance suite.

use std::ffi::OsString;

use client::conformance::ConformanceError;

use crate::clock;
use crate::failure::Failure;
use crate::runtime;

/// Behave as the TUF conformance suite expects of a client
///
/// Options stand before the command word, metadata is read in the lenient form, and the exit code is 0
/// or 1 and nothing else:
///
///     --metadata-dir DIR init TRUSTED_ROOT
///     --metadata-dir DIR --metadata-url URL refresh
///     --metadata-dir DIR --metadata-url URL --target-name NAME… --target-dir DIR
///         --target-base-url URL download
///
/// The word `conformance` may be left out: `countersign client --metadata-dir DIR init ROOT`.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The command line, as the suite writes it
    #[arg(
        value_name = "WORD",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<OsString>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let words = args.words.into_iter();
    let words = words.map(|word| word.to_string_lossy().into_owned());
    let done =
        runtime::block_on(async { Ok(client::conformance::run(words, clock::now()).await) })?;
    done.map_err(|error| match error {
        ConformanceError::Client(error) => Failure::Conformance(Box::new(error)),
        other => Failure::Conformance(Box::new(other)),
    })
}
