//! `verify`: everything again from the folder alone.

use std::fmt::Write;
use std::path::PathBuf;

use countersign_ceremony::Event;
use countersign_ceremony::key_command::numbered_words;

use super::output::{Report, files_json, files_text};
use super::{Done, status};

/// Check everything again from the folder alone
///
/// For anybody, at any later time: digests, rules, signatures, thresholds, and that `publish-set`
/// holds exactly what follows from them. No key and no network is needed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's folder
    event: PathBuf,

    /// Folder with published metadata, which must hold every file of the event unchanged
    #[arg(long, value_name = "FOLDER", env = "COUNTERSIGN_AGAINST")]
    against: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let event = Event::open(&self.event)?;
        let verdict = event.verify()?;
        if let Some(published) = &self.against {
            event.verify_against(&verdict, published)?;
        }
        // Writing to a String cannot fail, here and below.
        let mut text = String::new();
        let _ = writeln!(text, "digest of the event: {}", event.digest());
        text.push_str("the event in words:\n");
        text.push_str(&numbered_words(event.digest().as_bytes()));
        for one in &verdict.roles {
            status::describe(one, &mut text);
        }
        text.push_str(&files_text(&verdict.files));
        let (steps, heads) = (
            verdict.transcript.entries().len(),
            verdict.transcript.heads(),
        );
        let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "transcript of {steps} steps, last {}",
            heads.join(", ")
        );
        let combined = verdict.transcript.combined();
        if let Some((digest, then)) = combined
            && steps != then
        {
            let _ = writeln!(
                text,
                "the files for the index were made by step {then}, {digest}; later steps changed none"
            );
        }
        if let Some(published) = &self.against {
            let _ = writeln!(text, "published unchanged in {}", published.display());
        }
        text.push_str("everything in this event holds\n");
        let mut json = files_json(&verdict.files);
        let roles: Vec<_> = verdict.roles.iter().map(status::standing_json).collect();
        json["transcript"] = serde_json::json!({ "steps": steps, "last": heads });
        json["combined"] = combined.map_or(
            serde_json::Value::Null,
            |(digest, steps)| serde_json::json!({ "steps": steps, "last": digest.to_string() }),
        );
        json["roles"] = roles.into();
        json["digest"] = event.digest().to_string().into();
        Ok(Report::new(text, json))
    }
}
