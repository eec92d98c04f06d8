//! `transcript`: who did what.

use std::fmt::Write;
use std::path::PathBuf;

use countersign_ceremony::{Entry, Event};
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
            // Writing to a String cannot fail, here and below.
            let _ = write!(text, "{} {} {step}", one.time, one.holder);
            for more in files(one).iter().chain(std::slice::from_ref(&one.note)) {
                let _ = write!(text, "{}{more}", if more.is_empty() { "" } else { " " });
            }
            let binary = one.binary.get(..16).unwrap_or("unknown");
            let _ = writeln!(
                text,
                "\n    on `{}` with {}, sha256 {binary}",
                one.machine, one.program
            );
        }
        let heads: Vec<String> = transcript.heads().iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "last: {}", heads.join(", "));
        let json = json!({ "entries": transcript.entries(), "last": heads });
        Ok(Report::new(text, json))
    }
}

/// The files a step made: papers counted, key ids short; `--json` has all of it.
fn files(entry: &Entry) -> Vec<String> {
    let (papers, others): (Vec<_>, Vec<_>) = entry
        .outputs
        .iter()
        .map(|file| file.name.as_str())
        .partition(|name| name.starts_with("papers/"));
    let mut files: Vec<String> = others.into_iter().map(shorten).collect();
    if !papers.is_empty() {
        files.push(format!("{} papers", papers.len()));
    }
    files
}

/// `signatures/root.0123abcd….json`.
fn shorten(name: &str) -> String {
    let parts = name.split('.').map(|part| match part.get(..8) {
        Some(first) if part.len() == 64 => format!("{first}…"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(".")
}
