//! The last line of a run: what was verified, by whose signature, how fresh it is, and what was
//! refused, unverified or made to count for nothing.

use proxy::{Problem, SharedState, Verdict};
use serde::Serialize;

use super::Holder;
use crate::commands::trust::StateReport;
use crate::installers::Leak;
use crate::trusted::Entry;

/// Names in the line of each kind; the rest is counted.
const NAMED: usize = 3;

/// Code of a run that got something refused and ended well nevertheless.
const REFUSED: u8 = 1;

/// A run that is over.
pub(super) struct Ran<'a> {
    pub(super) entry: &'a Entry,
    pub(super) state: &'a SharedState,
    pub(super) neutralized: Vec<Leak>,
    pub(super) local: Vec<String>,
    pub(super) taken: Option<Holder>,
    pub(super) command_code: u8,
}

/// What is said of it.
#[derive(Serialize)]
pub(super) struct Report {
    index: String,
    url: String,
    root_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<StateReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<Problem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    upstreams: Vec<String>,
    verdict: Verdict,
    neutralized: Vec<Leak>,
    local: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port_taken_by: Option<String>,
    command_code: u8,
    /// The code this program ends with.
    pub(super) code: u8,
}

impl Ran<'_> {
    pub(super) async fn report(self) -> Report {
        let verdict = self.state.verdict();
        // What counted at the end; a refresh that is due now changes nothing of what was served.
        let sessions = self.state.sessions().await;
        let names = sessions.iter().map(|(name, _)| (*name).to_owned());
        let upstreams: Vec<_> = names.filter(|_| sessions.len() > 1).collect();
        let valid = sessions.into_iter().filter_map(|(_, session)| session.ok());
        // Of several, the one that ends first.
        let state = valid.min_by_key(|session| session.valid_until());
        let code = match self.command_code {
            0 if verdict.has_refusals() => REFUSED,
            code => code,
        };
        Report {
            index: self.entry.name().to_owned(),
            url: self.entry.anchor().url.clone(),
            root_sha256: self.entry.anchor().sha256().to_string(),
            state: state.map(|session| StateReport::of(&session)),
            stale: self.state.problem(),
            upstreams,
            verdict,
            neutralized: self.neutralized,
            local: self.local,
            port_taken_by: self.taken.map(|holder| holder.to_string()),
            command_code: self.command_code,
            code,
        }
    }
}

impl Report {
    /// Whether something was refused.
    pub(super) fn is_refusal(&self) -> bool {
        self.verdict.has_refusals()
    }

    /// What to do about what was refused, in words that ask for no knowledge of TUF, each once.
    pub(super) fn hints(&self) -> Vec<String> {
        let mut hints: Vec<String> = Vec::new();
        for problem in &self.verdict.problems {
            let hint = format!("hint: {}: {}", problem.title, problem.hint);
            if !hints.contains(&hint) && hints.len() < NAMED {
                hints.push(hint);
            }
        }
        if let Some(project) = self.verdict.unknown.first() {
            hints.push(format!(
                "hint: {project} is not on the index, or not for you: check the spelling; under `exec` \
                 nothing is looked for elsewhere"
            ));
        }
        hints
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let mut parts = vec![self.verified()];
        parts.push(match &self.state {
            Some(state) => state.freshness(),
            None => "nothing is valid any more".to_owned(),
        });
        if let Some(stale) = &self.stale {
            parts.push(format!("not refreshed: {}", stale.reason()));
        }
        parts.extend(self.refused());
        parts.extend(self.unverified());
        if !self.neutralized.is_empty() {
            let leaks = self.neutralized.iter().map(ToString::to_string);
            parts.push(format!("neutralized {}", some_of(leaks)));
        }
        if let Some(holder) = &self.port_taken_by {
            parts.push(format!("its port is taken by {holder}"));
        }
        let line = parts.join("; ");
        let shown = |it: char| if it.is_control() { '?' } else { it };
        format!(
            "countersign: {}",
            line.chars().map(shown).collect::<String>()
        )
    }

    fn verified(&self) -> String {
        let verdict = &self.verdict;
        let (pages, files) = (verdict.projects.len(), verdict.distributions.len());
        if pages + files == 0 {
            return format!("nothing new was fetched from {}", self.index);
        }
        format!(
            "verified {pages} page{} and {files} file{} of {}, signed by {} under root sha256:{}",
            plural(pages),
            plural(files),
            if self.upstreams.is_empty() {
                self.index.clone()
            } else {
                self.upstreams.join(" and ")
            },
            some_of(verdict.roles.iter().map(ToString::to_string)),
            &self.root_sha256[..16]
        )
    }

    fn refused(&self) -> Vec<String> {
        let (verdict, mut parts) = (&self.verdict, Vec::new());
        if verdict.refused > 0 {
            let mut reasons: Vec<String> = Vec::new();
            for problem in &verdict.problems {
                let reason = problem.reason();
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
            parts.push(format!("REFUSED {}", some_of(reasons.into_iter())));
        }
        if !verdict.unknown.is_empty() {
            let unknown = verdict.unknown.iter().map(ToString::to_string);
            parts.push(format!("NOT THERE {}", some_of(unknown)));
        }
        if verdict.withheld > 0 {
            parts.push(format!(
                "WITHHELD {} file{} not as their developers signed them",
                verdict.withheld,
                if verdict.withheld == 1 { "" } else { "s" },
            ));
        }
        if !verdict.hidden.is_empty() {
            let hidden = verdict.hidden.iter().map(ToString::to_string);
            parts.push(format!("HIDDEN by the index: {}", some_of(hidden)));
        }
        if !verdict.refused_hosts.is_empty() {
            let hosts = verdict.refused_hosts.keys().map(ToString::to_string);
            parts.push(format!("REFUSED connections to {}", some_of(hosts)));
        }
        parts
    }

    fn unverified(&self) -> Vec<String> {
        let indexes = self.verdict.unverified.iter().map(|(index, from)| {
            let (pages, files) = (from.projects.len(), from.distributions.len());
            let names = if files > 0 {
                &from.distributions
            } else {
                &from.projects
            };
            format!(
                "UNVERIFIED {pages} page{} and {files} file{} of {index}: {}",
                plural(pages),
                plural(files),
                some_of(names.iter().map(ToString::to_string))
            )
        });
        let hosts = self.verdict.passed_hosts.iter();
        let hosts = hosts.map(|(host, count)| format!("{host} ({count})"));
        let others: Vec<_> = hosts.chain(self.local.iter().cloned()).collect();
        let others =
            (!others.is_empty()).then(|| format!("UNVERIFIED {}", some_of(others.into_iter())));
        indexes.chain(others).collect()
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// The first few, and how many more there are.
fn some_of(names: impl Iterator<Item = String>) -> String {
    let names: Vec<_> = names.collect();
    let shown = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
