//! `destroy`: the end of a key that was made for one ceremony.

use std::path::PathBuf;

use chrono::Utc;
use countersign_ceremony::Event;
use countersign_ceremony::key_command::{PassphraseArgs, Reach};
use keys::KeyUri;
use serde_json::json;

use super::output::Report;
use super::{Done, edge};

/// Destroy a key file that was made for one ceremony
///
/// The event must be combined and hold. The file is overwritten and removed, and the key's last
/// signature is over the entry of the transcript that says so. Flash memory and copy-on-write file
/// systems may retain the old bytes: destroy the medium too.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's folder
    event: PathBuf,

    /// The key's file
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_KEY_FILE")]
    key_file: PathBuf,

    #[command(flatten)]
    passphrases: PassphraseArgs,
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let event = Event::open(&self.event)?;
        let uri = KeyUri::File(self.key_file.clone());
        let source = self.passphrases.source();
        let opened = Reach::default().open(&uri, &source, &edge())?;
        let keyid = opened.signer.key_id().clone();
        event.destroy(opened.signer.as_ref(), &self.key_file, Utc::now())?;
        let text = format!("key {keyid} is destroyed; destroy the medium too\n");
        Ok(Report::new(text, json!({ "destroyed": keyid.as_str() })))
    }
}
