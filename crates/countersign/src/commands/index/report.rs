//! What became of files that were to be taken in or removed.

use std::path::PathBuf;

use repository::{Intake, IntakeError};
use serde::Serialize;

use crate::console::{Console, in_one_line};
use crate::failure::Failure;

/// Most refusals shown one by one.
const MOST_SHOWN: usize = 100;

/// The result of `index add` and `index remove`.
#[derive(Serialize)]
pub(super) struct Report {
    accepted: Vec<Accepted>,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Accepted {
    path: PathBuf,
    filename: String,
    project: String,
    sha256: String,
    /// There already: nothing to do.
    already: bool,
}

#[derive(Serialize)]
struct Refused {
    path: PathBuf,
    error: String,
}

impl Report {
    pub(super) fn new(intake: &Intake) -> Self {
        let accepted = intake.accepted.iter().map(|one| Accepted {
            path: one.path.clone(),
            filename: one.filename.to_string(),
            project: one.filename.project().to_string(),
            sha256: one.sha256.to_string(),
            already: one.already,
        });
        let refused = intake.refused.iter().map(|(path, error)| Refused {
            path: path.clone(),
            error: in_one_line(error),
        });
        Self {
            accepted: accepted.collect(),
            refused: refused.collect(),
        }
    }

    /// Reports, and fails if anything was refused. `verb` says what was queued.
    pub(super) fn finish(&self, console: &Console, json: bool, verb: &str) -> Result<(), Failure> {
        console.report(json, self, || self.text(verb))?;
        match self.refused.len() {
            0 => Ok(()),
            refused => Err(Failure::PartlyRefused {
                refused,
                total: refused + self.accepted.len(),
                what: "files were",
            }),
        }
    }

    fn text(&self, verb: &str) -> String {
        let line = |one: &Accepted| {
            let state = if one.already { "already there" } else { verb };
            format!("{state}: {} ({})", one.filename, one.project)
        };
        let mut out: Vec<String> = self.accepted.iter().map(line).collect();
        if self.accepted.iter().any(|one| !one.already) {
            out.push("next: `countersign online tick` publishes what is queued".to_owned());
        }
        out.join("\n")
    }
}

/// Names on stderr what was refused and why. Somebody who named a folder of thousands of other files
/// sees enough to know; the JSON report lists them all.
pub(crate) fn show_refused(refused: &[(PathBuf, IntakeError)]) {
    for (path, error) in refused.iter().take(MOST_SHOWN) {
        tracing::error!("refused {}: {}", path.display(), in_one_line(error));
    }
    if let Some(more @ 1..) = refused.len().checked_sub(MOST_SHOWN) {
        tracing::error!("refused {more} more; `countersign index add --json` lists them all");
    }
}
