//! Where a repository stands, for people and monitors.

use chrono::{DateTime, Utc};
use metadata::{Role, Version};

use crate::error::RepositoryError;
use crate::repository::Repository;

/// One role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleStatus {
    /// The role.
    pub role: Role,
    /// Its published version.
    pub version: Version,
    /// When it expires.
    pub expires: DateTime<Utc>,
    /// Seconds until then; negative once it has.
    pub seconds_left: i64,
}

/// The whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Top-level roles and `bins`, as far as they are published.
    pub roles: Vec<RoleStatus>,
    /// How many bins are published.
    pub bins: usize,
    /// The bin that expires first.
    pub first_bin: Option<RoleStatus>,
    /// How many targets the bins list.
    pub targets: u64,
    /// How many projects there are or were.
    pub projects: usize,
    /// Changes waiting to be published.
    pub pending: usize,
    /// Sets of offline-signed roles waiting.
    pub waiting_sets: usize,
    /// When the last signature was made.
    pub signed: Option<DateTime<Utc>>,
    /// Whether a crash left work to finish.
    pub unfinished: bool,
}

impl Repository {
    /// Reads the status at `now`.
    pub fn status(&self, now: DateTime<Utc>) -> Result<Status, RepositoryError> {
        let mut roles = Vec::new();
        let mut bins = Vec::new();
        for record in self.state.roles()? {
            let status = RoleStatus {
                seconds_left: (record.expires - now).num_seconds(),
                version: record.version,
                expires: record.expires,
                role: record.role,
            };
            let is_bin = matches!(&status.role, Role::Delegated(name)
                if name.as_str() != draft::BINS_PREFIX);
            if is_bin {
                bins.push(status);
            } else {
                roles.push(status);
            }
        }
        roles.sort_by(|one, other| one.role.cmp(&other.role));
        Ok(Status {
            roles,
            first_bin: bins.iter().min_by_key(|bin| bin.expires).cloned(),
            bins: bins.len(),
            targets: self.state.target_count()?,
            projects: self.state.projects()?.len(),
            pending: self.state.pending()?.len(),
            waiting_sets: self.state.waiting_sets()?.len(),
            signed: self.state.head()?.signed,
            unfinished: self.state.staged()?.is_some(),
        })
    }
}
