//! Keeps count of what was served and refused, for the one line that a run ends with.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use metadata::Role;
use serde::Serialize;

use crate::problem::Problem;

/// Refusals remembered in full; older ones are only counted.
const REMEMBERED: usize = 100;

/// Names remembered of each kind: pages, files, roles, hosts. Installations stay far below.
const NAMES: usize = 20_000;

/// What a proxy has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Project pages served.
    pub pages: u64,
    /// Files served, parts of files included.
    pub files: u64,
    /// Projects whose verified page was served.
    pub projects: BTreeSet<Box<str>>,
    /// Verified distributions served, by name, whole or in part.
    pub distributions: BTreeSet<Box<str>>,
    /// The roles whose signatures vouch for them.
    pub roles: BTreeSet<Box<str>>,
    /// Projects asked for that are not there.
    pub unknown: BTreeSet<Box<str>>,
    /// Requests refused because something could not be verified or fetched.
    pub refused: u64,
    /// Files, and core metadata, of which a page says what those who may sign them have not signed.
    pub withheld: u64,
    /// Files that a project's developers signed and the index does not show.
    pub hidden: BTreeSet<Box<str>>,
    /// What came from indexes that sign nothing, by the index's URL: nobody vouches for it.
    pub unverified: BTreeMap<Box<str>, Unverified>,
    /// Connections refused to hosts that nothing vouches for, by host.
    pub refused_hosts: BTreeMap<Box<str>, u64>,
    /// Connections passed on, unverified, to hosts that the user allowed.
    pub passed_hosts: BTreeMap<Box<str>, u64>,
    /// The latest refusals, oldest first.
    pub problems: VecDeque<Problem>,
}

/// What came from an index that signs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unverified {
    /// Projects whose page was served.
    pub projects: BTreeSet<Box<str>>,
    /// Distributions served, by name, whole or in part.
    pub distributions: BTreeSet<Box<str>>,
}

/// Counts.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Verdict>);

impl Recorder {
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict_mut().clone()
    }

    /// A page was served that `role` lists.
    pub(crate) fn page(&self, project: &str, role: &Role) {
        let mut verdict = self.verdict_mut();
        verdict.pages += 1;
        remember(&mut verdict.projects, project);
        remember(&mut verdict.roles, role.name());
    }

    /// A file was served that `role` vouches for.
    pub(crate) fn file(&self, name: &str, role: &Role) {
        let mut verdict = self.verdict_mut();
        verdict.files += 1;
        if !name.ends_with(index::METADATA_SUFFIX) {
            remember(&mut verdict.distributions, name);
        }
        remember(&mut verdict.roles, role.name());
    }

    /// A page of an index that signs nothing was served.
    pub(crate) fn unverified_page(&self, index: &str, project: &str) {
        let mut verdict = self.verdict_mut();
        let of_index = verdict.unverified.entry(index.into()).or_default();
        if !of_index.projects.contains(project) {
            tracing::warn!(index, project, "unverified: the page is served as it came");
            remember(&mut of_index.projects, project);
        }
    }

    /// A file of an index that signs nothing was served, or its core metadata.
    pub(crate) fn unverified_file(&self, index: &str, name: &str) {
        let name = name.strip_suffix(index::METADATA_SUFFIX).unwrap_or(name);
        let mut verdict = self.verdict_mut();
        let of_index = verdict.unverified.entry(index.into()).or_default();
        if !of_index.distributions.contains(name) {
            tracing::warn!(
                index,
                file = name,
                "unverified: the file is served as it came"
            );
            remember(&mut of_index.distributions, name);
        }
    }

    /// A project was asked for that is not there.
    pub(crate) fn unknown(&self, project: &str) {
        remember(&mut self.verdict_mut().unknown, project);
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

    /// A file, or core metadata, was left out of a page, or is listed and will be refused. Each is counted once, however often its page is made.
    pub(crate) fn withheld(&self, problem: &Problem) {
        let mut verdict = self.verdict_mut();
        if verdict.problems.contains(problem) {
            return;
        }
        let file = problem.file.as_deref().unwrap_or_default();
        tracing::warn!(file, reason = %problem.reason(), "not what was signed for it");
        verdict.withheld += 1;
        verdict.remember(problem);
    }

    /// A file is vouched for and not on its page.
    pub(crate) fn hidden(&self, file: &str) {
        let mut verdict = self.verdict_mut();
        if !verdict.hidden.contains(file) {
            tracing::warn!(file, "signed by its developers and hidden by the index");
            remember(&mut verdict.hidden, file);
        }
    }

    /// A connection to a host was refused.
    pub(crate) fn refused_host(&self, host: &str) {
        tracing::warn!(host, "a connection past the signed index was refused");
        count(&mut self.verdict_mut().refused_hosts, host);
    }

    /// A connection to a host was passed on, unverified.
    pub(crate) fn passed_host(&self, host: &str) {
        count(&mut self.verdict_mut().passed_hosts, host);
    }

    fn verdict_mut(&self) -> MutexGuard<'_, Verdict> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(names: &mut BTreeSet<Box<str>>, name: &str) {
    if names.len() < NAMES && !names.contains(name) {
        names.insert(name.into());
    }
}

/// Beyond the limit a connection is counted under no name of its own.
fn count(hosts: &mut BTreeMap<Box<str>, u64>, host: &str) {
    let host = if hosts.len() < NAMES || hosts.contains_key(host) {
        host
    } else {
        "others"
    };
    *hosts.entry(host.into()).or_default() += 1;
}

impl Verdict {
    /// Whether anything that was asked for was not given, for want of a signature.
    #[must_use]
    pub fn has_refusals(&self) -> bool {
        self.refused > 0 || !self.refused_hosts.is_empty()
    }

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

    #[test]
    fn names_what_was_served_and_who_was_asked_for_it() {
        let recorder = Recorder::default();
        let role = Role::parse("bins-0").unwrap();
        for name in ["a-1.tar.gz", "a-1.tar.gz", "a-1.tar.gz.metadata"] {
            recorder.file(name, &role);
        }
        assert!(!recorder.verdict().has_refusals());
        recorder.passed_host("a.example:443");
        assert!(!recorder.verdict().has_refusals());
        for number in 0..NAMES + 2 {
            recorder.refused_host(&format!("{number}.example:443"));
        }
        let verdict = recorder.verdict();
        assert!(verdict.has_refusals());
        assert_eq!((verdict.files, verdict.distributions.len()), (3, 1));
        assert_eq!(verdict.roles.len(), 1);
        assert_eq!(verdict.refused_hosts.len(), NAMES + 1);
        assert_eq!(verdict.refused_hosts["others"], 2);
    }
}
