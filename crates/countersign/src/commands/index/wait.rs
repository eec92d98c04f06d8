//! `--wait`: returns once clients see what was queued.

use std::time::{Duration, Instant};

use clap::builder::FalseyValueParser;
use repository::{Answer, ChangeId, Outcome, Repository};

use crate::console::Console;
use crate::failure::Failure;
use crate::progress::Progress;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(200);

/// Whether to wait for publication.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct WaitArgs {
    /// Return once clients see the changes: a timestamp covers them
    #[arg(long, env = "COUNTERSIGN_WAIT", value_parser = FalseyValueParser::new())]
    wait: bool,

    /// Longest wait, in seconds; then the exit code is 75 and the changes stay queued
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    #[arg(env = "COUNTERSIGN_WAIT_LIMIT")]
    wait_limit: u64,
}

/// What became of changes that were waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct Waited {
    /// The latest snapshot that brought any of them.
    pub(super) snapshot: Option<u64>,
    /// Why those were refused that were.
    pub(super) refused: Vec<String>,
}

impl WaitArgs {
    /// Waits, if asked to, until all of these are decided.
    pub(super) fn wait(
        self,
        repository: &Repository,
        ids: &[ChangeId],
        console: &Console,
    ) -> Result<Option<Waited>, Failure> {
        if !self.wait {
            return Ok(None);
        }
        let begin = Instant::now();
        let limit = Duration::from_secs(self.wait_limit);
        let _progress = Progress::spinner(console, "waiting for the signer");
        loop {
            if let Answer::Decided(answers) = repository.answers(ids)? {
                return Ok(Some(Waited::of(&answers)));
            }
            if begin.elapsed() >= limit {
                return Err(Failure::StillQueued {
                    changes: ids.len(),
                    seconds: self.wait_limit,
                });
            }
            std::thread::sleep(EVERY);
        }
    }
}

impl Waited {
    fn of(answers: &[(ChangeId, Outcome)]) -> Self {
        let mut waited = Self::default();
        for (_, outcome) in answers {
            match outcome {
                Outcome::Published(version) => {
                    waited.snapshot = waited.snapshot.max(Some(version.get()));
                }
                Outcome::Refused(why) => waited.refused.push(why.clone()),
            }
        }
        waited
    }
}
