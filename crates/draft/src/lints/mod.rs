//! The rules every draft must pass before it may be signed, one rule per file, each naming the clause
//! it enforces.

mod canonical_bytes;
mod expiry_in_policy;
mod version_follows;

use std::fmt;

use chrono::{DateTime, Utc};
use metadata::{Role, Root, Snapshot, Targets, Timestamp};
use policy::Policy;

/// Every rule, in the order findings are shown.
pub const RULES: [&Rule; 3] = [
    &canonical_bytes::RULE,
    &version_follows::RULE,
    &expiry_in_policy::RULE,
];

/// A rule: its name, the clause it enforces, and the check.
pub struct Rule {
    /// Short name, as findings show it.
    pub name: &'static str,
    /// The clause: document and section.
    pub clause: &'static str,
    /// Says what breaks the rule; nothing if it holds.
    pub check: fn(&Case<'_>) -> Vec<String>,
}

/// A draft with everything a rule may look at.
pub struct Case<'a> {
    /// The role drafted.
    pub role: &'a Role,
    /// The bytes that would be signed.
    pub canonical: &'a [u8],
    /// The document and the one it follows.
    pub subject: Subject<'a>,
    /// The time of signing.
    pub now: DateTime<Utc>,
    /// The policy in force.
    pub policy: &'a Policy,
    /// The root it will be published under.
    pub root: Option<&'a Root>,
}

/// The document drafted, by kind, with the published version it follows.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// A root.
    Root {
        /// The draft.
        new: &'a Root,
        /// The root in force.
        previous: Option<&'a Root>,
    },
    /// A targets role, top-level or delegated.
    Targets {
        /// The draft.
        new: &'a Targets,
        /// The published version.
        previous: Option<&'a Targets>,
    },
    /// A snapshot.
    Snapshot {
        /// The draft.
        new: &'a Snapshot,
        /// The published version.
        previous: Option<&'a Snapshot>,
    },
    /// A timestamp.
    Timestamp {
        /// The draft.
        new: &'a Timestamp,
        /// The published version.
        previous: Option<&'a Timestamp>,
    },
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// The clause it enforces.
    pub clause: &'static str,
    /// What breaks it.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}: {})", self.text, self.rule, self.clause)
    }
}

/// Runs every rule.
pub(crate) fn run(case: &Case<'_>) -> Vec<Finding> {
    RULES
        .iter()
        .flat_map(|rule| {
            (rule.check)(case).into_iter().map(|text| Finding {
                rule: rule.name,
                clause: rule.clause,
                text,
            })
        })
        .collect()
}

/// Findings in one line.
pub(crate) fn join(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(Finding::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
