//! `combine`: the files for the index.

use std::path::{Path, PathBuf};

use chrono::Utc;
use countersign_ceremony::{CeremonyError, Event};

use super::Done;
use super::output::{Report, files_json, files_text};

/// Put documents and signatures together into the files for the index
///
/// Writes the folder `publish-set` into the event. Signatures that come later change nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's folder
    event: PathBuf,

    /// Your name, for the transcript; else it says `administrator`
    #[arg(long = "as", value_name = "NAME", env = "COUNTERSIGN_HOLDER")]
    actor: Option<String>,
}

/// Opens an event for a step that needs no key.
pub(crate) fn acting(path: &Path, actor: Option<&str>) -> Result<Event, CeremonyError> {
    let event = Event::open(path)?;
    match actor {
        Some(name) => event.acting_as(name),
        None => Ok(event),
    }
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let event = acting(&self.event, self.actor.as_deref())?;
        let set = event.combine(Utc::now())?;
        let folder = set.folder.display();
        let text = format!("{}written to {folder}\n", files_text(&set.files));
        let mut json = files_json(&set.files);
        json["folder"] = folder.to_string().into();
        Ok(Report::new(text, json))
    }
}
