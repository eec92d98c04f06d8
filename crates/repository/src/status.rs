//! Where a repository stands, for people and monitors.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use metadata::{DelegatedRoles, KeyId, Role, RoleKeys, Version};

use crate::alarm::{Alarm, alarms};
use crate::claim_record::{ClaimRecord, ClaimStage};
use crate::developers::{own_role, project_of};
use crate::error::{RepositoryError, StoreError};
use crate::offline_set::Published;
use crate::outlook::published;
use crate::receive::head_room::ROLES_BEFORE_A_PROJECT;
use crate::record::Publication;
use crate::repository::Repository;
use crate::store::StorePath;

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

/// How many publications a status lists.
const PUBLICATIONS: u64 = 10;

/// The keys that sign a role, and how many it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSigners {
    /// The role; `bins-0` stands for every bin, which share their keys.
    pub role: Role,
    /// Signatures needed.
    pub threshold: u64,
    /// The keys.
    pub keys: Vec<KeyId>,
}

impl RoleSigners {
    /// Whether they sign `role`.
    #[must_use]
    pub fn covers(&self, role: &Role) -> bool {
        self.role == *role || (is_bin(&self.role) && is_bin(role))
    }
}

/// Bytes used of those the policy allows, so that growth is seen before it is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadRoom {
    /// Bytes of the published file.
    pub used: u64,
    /// Bytes allowed.
    pub limit: u64,
}

/// Whether the offline roles and the snapshot in the store are what the state says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreHealth {
    /// They are.
    #[default]
    Intact,
    /// One is gone or has other bytes.
    Altered(StorePath),
    /// The store does not answer.
    Unreadable,
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
    /// The last publications, newest first.
    pub publications: Vec<Publication>,
    /// Roles with offline keys that need a ceremony soon, or at once.
    pub alarms: Vec<Alarm>,
    /// Who signs what, as the published root and delegations say; empty if they cannot be read.
    pub signers: Vec<RoleSigners>,
    /// Roles that the snapshot lists though nothing delegates to them any more. They take room until both
    /// online keys are replaced without overlap.
    pub tombstones: Vec<Role>,
    /// The snapshot's size.
    pub snapshot_room: HeadRoom,
    /// The size of the largest targets role: `bins`, or a bin.
    pub role_room: HeadRoom,
    /// Whether the store still holds what was published.
    pub store: StoreHealth,
    /// Projects whose developers sign.
    pub claims: ClaimCounts,
}

/// Bytes of a role's name, for how many more fit: few projects have a longer one.
const LONG_NAME: u64 = 48;

/// Projects whose developers sign, or will.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimCounts {
    /// Whose keys are registered and whose first transaction has not come.
    pub registered: usize,
    /// To which `recently-claimed` delegates.
    pub recently_claimed: usize,
    /// How many it may hold before a ceremony has to move them; 0 where nobody can sign.
    pub recently_claimed_limit: u32,
    /// To which offline roles delegate.
    pub claimed: usize,
    /// Of which nothing is taken since a recovery, until the operator confirms their keys.
    pub held: usize,
    /// How many roles the longest lookup of a project's file visits once it is claimed.
    pub roles_visited: HeadRoom,
    /// How many projects more the snapshot has room for, each with a role of its own and a long name.
    pub projects_left: u64,
    /// The project's own role that expires first: then its files are refused (reference F32).
    pub first_to_expire: Option<RoleStatus>,
}

impl Repository {
    /// Reads the status at `now`.
    pub fn status(&self, now: DateTime<Utc>) -> Result<Status, RepositoryError> {
        let mut roles = Vec::new();
        let mut bins = Vec::new();
        let mut projects = BTreeMap::new();
        let limits = self.settings.policy.repository;
        let mut snapshot_room = HeadRoom {
            used: 0,
            limit: limits.snapshot_bytes,
        };
        let mut role_room = HeadRoom {
            used: 0,
            limit: limits.role_bytes,
        };
        for record in self.state.roles()? {
            match record.role {
                Role::Snapshot => snapshot_room.used = record.length,
                Role::Targets | Role::Delegated(_) => {
                    role_room.used = role_room.used.max(record.length);
                }
                Role::Root | Role::Timestamp => {}
            }
            let status = RoleStatus {
                seconds_left: (record.expires - now).num_seconds(),
                version: record.version,
                expires: record.expires,
                role: record.role,
            };
            if is_bin(&status.role) {
                bins.push(status);
            } else if project_of(&status.role).is_some() {
                projects.insert(status.role.clone(), status);
            } else {
                roles.push(status);
            }
        }
        roles.sort_by(|one, other| one.role.cmp(&other.role));
        let (store, signers, tombstones) = self.signers_and_health()?;
        let alarms = alarms(&roles, &self.settings.policy.online.offline_alarms, now);
        Ok(Status {
            claims: self.claim_counts(&projects, snapshot_room)?,
            alarms,
            signers,
            tombstones,
            snapshot_room,
            role_room,
            store,
            roles,
            first_bin: bins.iter().min_by_key(|bin| bin.expires).cloned(),
            bins: bins.len(),
            targets: self.state.target_count()?,
            projects: usize::try_from(self.state.project_count()?).unwrap_or(usize::MAX),
            pending: self.state.pending()?.len(),
            waiting_sets: self.state.waiting_sets()?.len(),
            signed: self.state.head()?.signed,
            publications: self.state.publications(PUBLICATIONS)?,
            unfinished: self.state.staged()?.is_some(),
        })
    }

    fn claim_counts(
        &self,
        projects: &BTreeMap<Role, RoleStatus>,
        snapshot: HeadRoom,
    ) -> Result<ClaimCounts, RepositoryError> {
        let Some(policy) = &self.settings.policy.claims else {
            return Ok(ClaimCounts::default());
        };
        let claims = self.state.claims()?;
        let count = |stage| claims.values().filter(|claim| claim.stage == stage).count();
        let mut sub_roles: BTreeMap<_, u64> = BTreeMap::new();
        for role in projects.keys() {
            if let Some(project) = project_of(role) {
                *sub_roles.entry(project).or_default() += 1;
            }
        }
        // `targets` and the delegators come before the project's own.
        let most = sub_roles.into_values().max().unwrap_or(1);
        let room = snapshot.limit.saturating_sub(snapshot.used);
        let own = claims
            .iter()
            .filter(|(_, claim)| ClaimRecord::is_signed(claim));
        let own = own.filter_map(|(project, _)| projects.get(&own_role(project)));
        Ok(ClaimCounts {
            registered: count(ClaimStage::Registered),
            recently_claimed: count(ClaimStage::RecentlyClaimed),
            recently_claimed_limit: policy.recently_claimed_projects,
            claimed: count(ClaimStage::Claimed),
            held: claims.values().filter(|claim| claim.held).count(),
            roles_visited: HeadRoom {
                used: most + ROLES_BEFORE_A_PROJECT as u64,
                limit: self.settings.policy.client.delegations.into(),
            },
            projects_left: room / (draft::ENTRY_BYTES + LONG_NAME),
            first_to_expire: own.min_by_key(|role| role.expires).cloned(),
        })
    }

    /// Reads the offline roles and the snapshot back.
    fn signers_and_health(&self) -> Result<ReadBack, RepositoryError> {
        let records = self.roles_by_name()?;
        let read = || {
            let before = self.read_before(&records, None)?;
            let tombstones = self.tombstones(&records, &[], None)?;
            let mut published = published(&before)?;
            published.claimed = self.published_claimed(&records, false)?;
            Ok((signers(&published), tombstones))
        };
        Ok(match read() {
            Ok((signers, tombstones)) => (StoreHealth::Intact, signers, tombstones),
            Err(RepositoryError::Store(StoreError::Altered { path, .. })) => {
                (StoreHealth::Altered(path), Vec::new(), Vec::new())
            }
            Err(RepositoryError::Store(_)) => (StoreHealth::Unreadable, Vec::new(), Vec::new()),
            Err(error) => return Err(error),
        })
    }
}

/// What reading the published roles back tells: whether they are there, who signs them, and which of them
/// nobody asks for any more.
type ReadBack = (StoreHealth, Vec<RoleSigners>, Vec<Role>);

/// Who signs the published roles.
fn signers(published: &Published) -> Vec<RoleSigners> {
    let mut signers = Vec::new();
    let mut push = |role: Role, keys: &RoleKeys| {
        signers.push(RoleSigners {
            role,
            threshold: keys.threshold.into(),
            keys: keys.keyids.clone(),
        });
    };
    if let Some(root) = &published.root {
        push(Role::Root, &root.root);
        push(Role::Targets, &root.targets);
        push(Role::Snapshot, &root.snapshot);
        push(Role::Timestamp, &root.timestamp);
    }
    let delegators = [&published.targets, &published.bins].into_iter().flatten();
    let delegators = delegators.chain(published.claimed.values());
    for delegations in delegators.filter_map(|targets| targets.delegations.as_ref()) {
        match &delegations.roles {
            DelegatedRoles::Listed(roles) => {
                // The bins share their keys, so the first stands for all.
                let mut bin_seen = false;
                for role in roles {
                    let delegated = Role::Delegated(role.name.clone());
                    if !is_bin(&delegated) || !std::mem::replace(&mut bin_seen, true) {
                        push(delegated, &role.keys);
                    }
                }
            }
            DelegatedRoles::Succinct(bins) => {
                if let Ok(first) = Role::parse(&format!("{}-0", draft::BINS_PREFIX)) {
                    push(first, &bins.keys);
                }
            }
        }
    }
    signers
}

pub(crate) fn is_bin(role: &Role) -> bool {
    matches!(role, Role::Delegated(name) if draft::is_bin(name.as_str()))
}

/// A span of time as people say it: its two largest units.
pub(crate) fn in_words(span: TimeDelta) -> String {
    let seconds = span.num_seconds();
    if seconds <= 0 {
        return "expired".to_owned();
    }
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let words = units.iter().skip_while(|(count, _)| *count == 0).take(2);
    words
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}
