//! The rules every draft must pass before it may be signed, one rule per file, each naming the clause
//! it enforces.

mod bins_complete;
mod bins_keep_names;
mod bins_share_snapshot_key;
mod canonical_bytes;
mod claimed_shards;
mod consistent_snapshot;
mod delegation_order;
mod expiry_in_policy;
mod known_keys;
mod listed;
mod one_hash;
mod path_patterns;
mod policy_threshold;
mod projects_delegated;
mod role_names;
#[cfg(test)]
pub(crate) mod samples;
mod separate_keys;
mod snapshot_hashes;
mod snapshot_head_room;
mod snapshot_keeps_roles;
mod spec_version;
mod target_layout;
mod threshold_reachable;
mod timestamp_lists_snapshot;
mod version_follows;

use std::fmt;

use chrono::{DateTime, Utc};
use metadata::{Role, Root, Snapshot, Targets, Timestamp};
use policy::Policy;

use crate::{BinLayout, FormerKeys};

pub(crate) use canonical_bytes::ENVELOPE_BYTES;
pub use listed::is_bin;

/// Every rule, in the order findings are shown.
pub const RULES: &[&Rule] = &[
    &canonical_bytes::RULE,
    &spec_version::RULE,
    &version_follows::RULE,
    &expiry_in_policy::RULE,
    &consistent_snapshot::RULE,
    &threshold_reachable::RULE,
    &policy_threshold::RULE,
    &known_keys::RULE,
    &separate_keys::RULE,
    &role_names::RULE,
    &path_patterns::RULE,
    &delegation_order::RULE,
    &claimed_shards::RULE,
    &projects_delegated::RULE,
    &bins_complete::RULE,
    &bins_keep_names::RULE,
    &bins_share_snapshot_key::RULE,
    &target_layout::RULE,
    &one_hash::RULE,
    &snapshot_keeps_roles::RULE,
    &snapshot_hashes::RULE,
    &snapshot_head_room::RULE,
    &timestamp_lists_snapshot::RULE,
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
    /// The bins of the index.
    pub layout: BinLayout,
    /// The online keys of the roots published so far, where they are known.
    pub former: Option<&'a FormerKeys>,
}

impl Case<'_> {
    /// Whether roles may leave: none of the online keys of before remains under the root in force.
    fn roles_may_leave(&self) -> bool {
        match (self.former, self.root) {
            (Some(former), Some(root)) => former.are_all_gone_from(root),
            _ => false,
        }
    }
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

/// Findings shown of one rule: a document of 16,384 bins can break one as often.
const SHOWN: usize = 8;

/// Runs every rule.
pub(crate) fn run(case: &Case<'_>) -> Vec<Finding> {
    RULES
        .iter()
        .flat_map(|rule| {
            let mut texts = (rule.check)(case);
            if let more @ 1.. = texts.len().saturating_sub(SHOWN) {
                texts.truncate(SHOWN);
                texts.push(format!("and {more} more of this kind"));
            }
            texts.into_iter().map(|text| Finding {
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
