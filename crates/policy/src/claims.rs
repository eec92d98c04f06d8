//! The roles that PEP 480 adds, for an index whose developers sign.

use chrono::TimeDelta;

use crate::reader::Section;
use crate::roles::ROLE_KEYS;
use crate::{PolicyError, RolePolicy};

/// Longest lifetime of the roles that say who has claimed what, where developers sign: 90 days.
///
/// Until they expire, a thief of the online keys can show a client that has never seen a claim
/// the state before it, so a year is too long.
pub const MAX_CLAIM_LIFETIME: TimeDelta = TimeDelta::days(90);

/// How long administrators try to reach the developers of a project before other keys take the place of
/// theirs without their word, unless the policy says otherwise: six weeks, after which "the maintainers stop
/// trying to reach the user" (PEP 541 "Reachability").
pub const LOST_KEYS_WAIT: TimeDelta = TimeDelta::days(42);

/// Roles that every walk to a developer's role passes besides the sub-roles of the project:
/// `targets`, `claimed`, one shard, the project itself.
const ROLES_TO_A_PROJECT: u32 = 4;

/// Roles that a walk passes to a file nobody has claimed: `targets`, `claimed`, one shard,
/// `recently-claimed` and one shard of it, `bins`, one bin.
const ROLES_TO_AN_UNCLAIMED_FILE: u32 = 7;

/// The keys of the table `claims`.
pub(crate) const KEYS: &[&str] = &[
    "shards",
    "recently_claimed_projects",
    "sub_roles_per_project",
    "lost_keys_wait",
    "claimed",
    "claimed-shard",
    "publishers-claimed",
    "recently-claimed",
];

/// Who may speak for the projects whose developers sign (PEP 480).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Number of roles among which the claimed projects are divided, 1 to 256.
    pub shards: u32,
    /// Projects that `recently-claimed` holds before it is divided too.
    pub recently_claimed_projects: u32,
    /// Names of sub-roles that one project may ever use.
    pub sub_roles_per_project: u32,
    /// How long keys of a claimed project that its keys of before do not vouch for are registered before a
    /// ceremony puts them in force.
    pub lost_keys_wait: TimeDelta,
    /// `claimed`, which delegates to the shards.
    pub claimed: RolePolicy,
    /// Each shard, which delegates to project roles.
    pub claimed_shard: RolePolicy,
    /// `publishers-claimed`, which says who may publish a claimed project.
    pub publishers_claimed: RolePolicy,
    /// `recently-claimed`, which delegates until a ceremony has moved the project.
    pub recently_claimed: RolePolicy,
}

impl Claims {
    /// Every role with its name in the policy file.
    #[must_use]
    pub fn all(&self) -> [(&'static str, RolePolicy); 4] {
        [
            ("claimed", self.claimed),
            ("claimed-shard", self.claimed_shard),
            ("publishers-claimed", self.publishers_claimed),
            ("recently-claimed", self.recently_claimed),
        ]
    }

    /// Roles that the longest lookup visits, the top-level `targets` among them.
    #[must_use]
    pub fn longest_walk(&self) -> u32 {
        self.sub_roles_per_project
            .saturating_add(ROLES_TO_A_PROJECT)
            .max(ROLES_TO_AN_UNCLAIMED_FILE)
    }

    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        let role = |name| RolePolicy::read(&section.section(name, ROLE_KEYS)?);
        Ok(Self {
            shards: section.count("shards", 1..=256)?,
            recently_claimed_projects: section.count("recently_claimed_projects", 1..=10_000)?,
            sub_roles_per_project: section.count("sub_roles_per_project", 1..=256)?,
            lost_keys_wait: if section.has("lost_keys_wait") {
                section.duration("lost_keys_wait")?
            } else {
                LOST_KEYS_WAIT
            },
            claimed: role("claimed")?,
            claimed_shard: role("claimed-shard")?,
            publishers_claimed: role("publishers-claimed")?,
            recently_claimed: role("recently-claimed")?,
        })
    }
}
