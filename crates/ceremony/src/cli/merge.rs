//! `merge`: signatures and transcript entries of other copies.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use chrono::Utc;
use serde_json::json;

use super::Done;
use super::combine::acting;
use super::output::Report;

/// Put copies of an event together
///
/// Takes over the signatures and transcript entries that other copies have and this one has not.
/// Everything is checked before anything is written, and nothing is ever replaced.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's folder
    event: PathBuf,

    /// Folders of other copies
    #[arg(required = true)]
    copies: Vec<PathBuf>,

    /// Your name, for the transcript; else it says `administrator`
    #[arg(long = "as", value_name = "NAME", env = "COUNTERSIGN_HOLDER")]
    actor: Option<String>,
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let event = acting(&self.event, self.actor.as_deref())?;
        let copies: Vec<&Path> = self.copies.iter().map(PathBuf::as_path).collect();
        let before = event.transcript()?.combined();
        let new = event.merge(&copies, Utc::now())?;
        let mut text = format!("{new} files were new\n");
        let mut json = json!({ "new": new });
        if let (Some((digest, steps)), true) = (before, new > 0) {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "CAUTION: the files for the index were made before, and nothing of this changes them.\n\
                 The transcript goes on: the digest of the last step is no longer the one that was\n\
                 written down then. `verify` shows both; this is the one of step {steps}, which made\n\
                 the files: {digest}\n"
            );
            json["combined"] = json!({ "steps": steps, "last": digest.to_string() });
        }
        Ok(Report::new(text, json))
    }
}
