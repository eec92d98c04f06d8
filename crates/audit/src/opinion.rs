//! The second opinion, in words that do not depend on whose it is.

use chrono::{DateTime, Utc};
use metadata::{Role, TargetPath};
use serde::Serialize;

use crate::finding::text;

/// What the independent reader says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "about", rename_all = "kebab-case")]
pub enum SecondOpinion {
    /// It read the same roles and targets.
    Agrees {
        /// Roles compared, the top-level ones included.
        roles: usize,
        /// Targets compared.
        targets: usize,
        /// Target files it read too.
        files: usize,
    },
    /// It read something else, or refuses what we read.
    Disagrees(Vec<Difference>),
    /// It was not asked.
    NotAvailable(Why),
}

/// Why the second opinion was not asked, or did not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Why {
    /// tough reads no succinct bins (TAP 15).
    #[error("{role} delegates to succinct bins (TAP 15), which tough does not read")]
    SuccinctRoles {
        /// Who delegates to them.
        #[serde(serialize_with = "text")]
        role: Role,
    },
    /// More bins than tough can be asked of.
    #[error("there are {bins} hashed bins; tough is asked about at most {limit}")]
    TooManyBins {
        /// Bins found.
        bins: usize,
        /// The limit.
        limit: usize,
    },
    /// More targets than tough can be asked of.
    #[error("there are {targets} targets; tough is asked about at most {limit}")]
    TooManyTargets {
        /// Targets found.
        targets: usize,
        /// The limit.
        limit: usize,
    },
    /// tough would take too long.
    #[error("tough would test {tests} hash prefixes; it is asked for at most {limit}")]
    TooSlow {
        /// Targets times hash prefixes.
        tests: u64,
        /// The limit.
        limit: u64,
    },
    /// The time of the audit is not that of the clock.
    #[error(
        "the audit is of {}, but tough only knows the machine's clock, which says {}",
        now.format("%FT%TZ"),
        clock.format("%FT%TZ")
    )]
    OtherTime {
        /// The time of the audit.
        now: DateTime<Utc>,
        /// What the clock says.
        clock: DateTime<Utc>,
    },
    /// tough refuses a whole repository for one expired role.
    #[error("{role} has expired, for which tough refuses the whole repository")]
    Expired {
        /// The role.
        #[serde(serialize_with = "text")]
        role: Role,
    },
    /// tough reads no other digest than SHA-256.
    #[error("`{path}` is listed without SHA-256, the only digest tough reads")]
    NoSha256 {
        /// The target.
        #[serde(serialize_with = "text")]
        path: TargetPath,
    },
    /// The transport failed while tough read.
    #[error("the repository could not be read a second time: {why}")]
    Unreachable {
        /// What the transport said.
        why: String,
    },
}

/// In what the two readings differ. `ours` and `theirs` are `None` where the reader has nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "difference", rename_all = "kebab-case")]
pub enum Difference {
    /// tough refuses the repository.
    #[error("tough refuses the repository: {why}")]
    Refused {
        /// What it said.
        why: String,
    },
    /// The version of a role.
    #[error("{role}: we read version {}, tough {}", or_nothing(*ours), or_nothing(*theirs))]
    Version {
        /// The role.
        role: String,
        /// The version we read.
        ours: Option<u64>,
        /// The version tough read.
        theirs: Option<u64>,
    },
    /// What a role lists of a target.
    #[error("{role} lists `{path}`: we read {}, tough {}", listed(ours.as_ref()), listed(theirs.as_ref()))]
    Target {
        /// The role.
        role: String,
        /// The target.
        path: String,
        /// What we read.
        ours: Option<Listed>,
        /// What tough read.
        theirs: Option<Listed>,
    },
    /// A target file that only one of the two could read.
    #[error("`{path}`: {}, {}", read("we", ours.as_ref()), read("tough", theirs.as_ref()))]
    File {
        /// The target.
        #[serde(serialize_with = "text")]
        path: TargetPath,
        /// Why we could not read it.
        ours: Option<String>,
        /// Why tough could not.
        theirs: Option<String>,
    },
}

/// What a role says of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Bytes.
    pub length: u64,
    /// SHA-256 in hex.
    pub sha256: String,
}

fn or_nothing(version: Option<u64>) -> String {
    version.map_or_else(|| "none".to_owned(), |version| version.to_string())
}

fn listed(found: Option<&Listed>) -> String {
    found.map_or_else(
        || "nothing".to_owned(),
        |listed| format!("{} bytes {}", listed.length, listed.sha256),
    )
}

fn read(who: &str, failed: Option<&String>) -> String {
    failed.map_or_else(
        || format!("{who} read it"),
        |why| format!("{who} could not ({why})"),
    )
}
