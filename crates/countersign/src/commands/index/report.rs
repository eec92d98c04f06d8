//! What became of files that were to be taken in, removed or yanked.

use std::path::PathBuf;

use chrono::TimeDelta;
use repository::{Intake, IntakeError, Repository};
use serde::Serialize;

use super::wait::{WaitArgs, Waited};
use crate::console::{Console, in_one_line};
use crate::failure::Failure;

/// Most refusals shown one by one.
const MOST_SHOWN: usize = 100;

/// The result of `index add`, `remove`, `remove-project`, `yank` and `sync`.
#[derive(Serialize)]
pub(super) struct Report {
    accepted: Vec<Accepted>,
    refused: Vec<Refused>,
    /// The snapshot that brought it, where that was waited for.
    snapshot: Option<u64>,
    /// Why the signer refused what was queued, where that was waited for.
    refused_by_signer: Vec<String>,
    #[serde(skip)]
    waited: bool,
    #[serde(skip)]
    batch_wait: TimeDelta,
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
    /// Names what was refused, waits if that is asked for, and says what became of the rest.
    pub(super) fn of(
        repository: &Repository,
        intake: &Intake,
        wait: WaitArgs,
        console: &Console,
    ) -> Result<Self, Failure> {
        show_refused(&intake.refused);
        let waited = wait.wait(repository, &intake.changes, console)?;
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
        let is_waited = waited.is_some();
        let Waited {
            snapshot,
            refused: refused_by_signer,
        } = waited.unwrap_or_default();
        for why in &refused_by_signer {
            tracing::error!("refused {why}");
        }
        Ok(Self {
            accepted: accepted.collect(),
            refused: refused.collect(),
            snapshot,
            refused_by_signer,
            waited: is_waited,
            batch_wait: repository.settings().policy.online.batch_wait,
        })
    }

    /// Reports, and fails if anything was refused. `verb` says what was queued.
    pub(super) fn finish(&self, console: &Console, json: bool, verb: &str) -> Result<(), Failure> {
        console.report(json, self, || self.text(verb))?;
        let total = self.refused.len() + self.accepted.len();
        match self.refused.len() + self.refused_by_signer.len() {
            0 => Ok(()),
            refused => Err(Failure::PartlyRefused {
                refused,
                total: total.max(refused),
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
        if let Some(version) = self.snapshot {
            out.push(format!(
                "published: clients see it with snapshot v{version}"
            ));
        } else if !self.waited && self.accepted.iter().any(|one| !one.already) {
            out.push(format!(
                "next: `countersign online tick` publishes what is queued once the oldest change has \
                 waited {} s for\nothers to share a snapshot with; `online tick --at-once` does it \
                 now, and --wait waits for it",
                self.batch_wait.num_seconds()
            ));
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
