//! What an audit says of a repository.

use client::Kind;
use metadata::{Expiry, Role, RoleKeys, Version};
use serde::Serialize;

use crate::finding::{Finding, number, text};
use crate::opinion::SecondOpinion;

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Every role that was verified: root, timestamp, snapshot, targets, then the delegated ones as
    /// they were reached.
    pub roles: Vec<RoleReport>,
    /// Roles that the snapshot has to list although nobody delegates to them any more.
    pub tombstones: Vec<TombstoneReport>,
    /// Targets listed by all of them.
    pub targets: u64,
    /// Paths also looked up as a client does.
    pub lookups: u64,
    /// Project pages read and verified.
    pub pages: u64,
    /// Other target files read and verified.
    pub files: u64,
    /// Files that pages bind and no role lists: seen to be there, not read.
    pub files_seen: u64,
    /// What is wrong, in the order found.
    pub findings: Vec<Finding>,
    /// Findings beyond the limit, only counted.
    pub findings_left_out: u64,
    /// What tough says.
    pub second_opinion: SecondOpinion,
}

impl Report {
    /// Whether nothing is wrong. A second opinion that is not available is not wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && !matches!(self.second_opinion, SecondOpinion::Disagrees(_))
    }

    /// The exit code of programs that print it: that of the first finding, 1 for a second opinion
    /// that disagrees, 0 if nothing is wrong.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.findings.first() {
            Some(finding) => finding.kind().exit_code(),
            None if self.is_clean() => 0,
            None => Kind::Refused.exit_code(),
        }
    }
}

/// One role as verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleReport {
    /// The role.
    #[serde(serialize_with = "text")]
    pub role: Role,
    /// Who lists its keys.
    #[serde(serialize_with = "text")]
    pub delegator: Role,
    /// Its version.
    #[serde(serialize_with = "number")]
    pub version: Version,
    /// When it expires.
    #[serde(serialize_with = "text")]
    pub expires: Expiry,
    /// Bytes of its file.
    pub bytes: usize,
    /// Keys that may sign it.
    pub keys: usize,
    /// How many of them have to.
    pub threshold: u32,
    /// Targets it lists.
    pub targets: usize,
}

/// A role that was given up. Its file is what the snapshot lists; no keys for it are known, and no client
/// asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TombstoneReport {
    /// The role.
    #[serde(serialize_with = "text")]
    pub role: Role,
    /// Its last version.
    #[serde(serialize_with = "number")]
    pub version: Version,
    /// Bytes of its file.
    pub bytes: usize,
}

impl RoleReport {
    pub(crate) fn new<R: metadata::Document>(
        role: &trust::Verified<R>,
        delegator: &Role,
        keys: &RoleKeys,
        targets: usize,
    ) -> Self {
        Self {
            role: role.role().clone(),
            delegator: delegator.clone(),
            version: role.version(),
            expires: role.expires(),
            bytes: role.file().len(),
            keys: keys.keyids.len(),
            threshold: keys.threshold,
            targets,
        }
    }
}
