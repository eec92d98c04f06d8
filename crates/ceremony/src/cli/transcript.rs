//! `transcript`: who did what.

use std::fmt::Write;
use std::path::PathBuf;

use countersign_ceremony::Event;
use serde_json::json;

use super::Done;
use super::output::Report;

/// Show who did what, as the transcript has it
///
/// Its form, signatures and order are checked first. `verify` checks beside that every file of the
/// event is in it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's folder
    event: PathBuf,
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let transcript = Event::open(&self.event)?.transcript()?;
        let mut text = String::new();
        for one in transcript.entries() {
            let step = format!("{:?}", one.step).to_lowercase();
            let files = one.outputs.iter().map(|file| file.name.as_str());
            let files: Vec<&str> = files.collect();
            // Writing to a String cannot fail, here and below.
            let _ = write!(text, "{} {} {step}", one.time, one.holder);
            for more in files.iter().chain(&[one.note.as_str()]) {
                let _ = write!(text, "{}{more}", if more.is_empty() { "" } else { " " });
            }
            text.push('\n');
        }
        let heads: Vec<String> = transcript.heads().iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "last: {}", heads.join(", "));
        let json = json!({ "entries": transcript.entries(), "last": heads });
        Ok(Report::new(text, json))
    }
}
