//! Keeps count of what was served and refused, for the one line that a run ends with.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::problem::Problem;

/// Refusals remembered in full; older ones are only counted.
const REMEMBERED: usize = 100;

/// What a proxy has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Project pages served.
    pub pages: u64,
    /// Files served, parts of files included.
    pub files: u64,
    /// Requests refused because something could not be verified or fetched.
    pub refused: u64,
    /// Files left out of pages because nobody who may sign them has.
    pub withheld: u64,
    /// The latest refusals, oldest first.
    pub problems: VecDeque<Problem>,
}

/// Counts.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Verdict>);

impl Recorder {
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict_mut().clone()
    }

    pub(crate) fn page(&self) {
        self.verdict_mut().pages += 1;
    }

    pub(crate) fn file(&self) {
        self.verdict_mut().files += 1;
    }

    /// A request was refused. What simply is not there is no refusal.
    pub(crate) fn refused(&self, problem: &Problem) {
        if problem.status == axum::http::StatusCode::NOT_FOUND {
            return;
        }
        let file = problem.file.as_deref().unwrap_or_default();
        tracing::warn!(file, reason = %problem.reason(), hint = problem.hint, "refused");
        let mut verdict = self.verdict_mut();
        verdict.refused += 1;
        verdict.remember(problem);
    }

    /// A file was left out of a page. Each is counted once, however often its page is made.
    pub(crate) fn withheld(&self, problem: &Problem) {
        let mut verdict = self.verdict_mut();
        if verdict.problems.contains(problem) {
            return;
        }
        let file = problem.file.as_deref().unwrap_or_default();
        tracing::warn!(file, reason = %problem.reason(), "left out of its page");
        verdict.withheld += 1;
        verdict.remember(problem);
    }

    fn verdict_mut(&self) -> MutexGuard<'_, Verdict> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Verdict {
    fn remember(&mut self, problem: &Problem) {
        if self.problems.len() == REMEMBERED {
            self.problems.pop_front();
        }
        self.problems.push_back(problem.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_everything_and_remembers_the_latest() {
        let recorder = Recorder::default();
        for number in 0..=REMEMBERED {
            recorder.refused(&Problem::internal(number.to_string()));
        }
        recorder.refused(&Problem::not_found("nothing", ""));
        let verdict = recorder.verdict();
        assert_eq!((verdict.refused, verdict.problems.len()), (101, REMEMBERED));
        assert_eq!(verdict.problems[0].detail, "1");
    }
}
