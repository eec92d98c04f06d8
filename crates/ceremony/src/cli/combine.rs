//! `combine`: the files for the index.

use std::path::PathBuf;

use chrono::Utc;
use countersign_ceremony::Event;

use super::Done;
use super::output::{Report, files_json, files_text};

/// Put documents and signatures together into the files for the index
///
/// Writes the folder `publish-set` into the event. Signatures that come later change nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's folder
    event: PathBuf,
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let event = Event::open(&self.event)?;
        let set = event.combine(Utc::now())?;
        let folder = set.folder.display();
        let text = format!("{}written to {folder}\n", files_text(&set.files));
        let mut json = files_json(&set.files);
        json["folder"] = folder.to_string().into();
        Ok(Report::new(text, json))
    }
}
