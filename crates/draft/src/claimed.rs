//! The offline roles that speak for claimed projects: `claimed`, which delegates to shards, and the
//! shards, which delegate to projects (PEP 480 "Maximum Security Model"; DESIGN §4).

use std::collections::{BTreeMap, BTreeSet};

use index::{ProjectName, Shard};
use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, Expiry, MetadataError, PathSet, PublicKey,
    RoleName, Targets, Version,
};
use policy::{Claims, Policy};

use crate::DelegatedProject;
use crate::layout::{CLAIMED_PATHS, patterns, role_keys};

/// The role that is asked first, and delegates to the shards.
pub const CLAIMED: &str = "claimed";

/// Values of the first byte of a project's digest, by which shards are told apart.
const PREFIXES: u32 = 256;

/// One of the roles among which claimed projects are divided, called `claimed-SS`: it answers for the
/// projects whose target paths have certain pairs of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimedShard {
    number: u32,
    count: u32,
}

impl ClaimedShard {
    /// The shard that answers for a project, of as many as the policy has.
    #[must_use]
    pub fn of(project: &ProjectName, claims: &Claims) -> Self {
        Self {
            number: number_of(project.shard(), claims.shards),
            count: claims.shards,
        }
    }

    /// The shard of this name, if the policy has one.
    #[must_use]
    pub fn parse(name: &str, claims: &Claims) -> Option<Self> {
        let digits = name.strip_prefix(CLAIMED)?.strip_prefix('-')?;
        let number = u32::from(Shard::parse(digits)?.get());
        let count = claims.shards;
        (number < count).then_some(Self { number, count })
    }

    /// `claimed-SS`.
    pub fn role_name(self) -> Result<RoleName, MetadataError> {
        RoleName::parse(format!("{CLAIMED}-{:02x}", self.number))
    }

    /// What it may speak for: one literal pattern for each pair of digits (reference F30).
    pub fn paths(self) -> Result<PathSet, MetadataError> {
        let own = Shard::all().filter(|prefix| number_of(*prefix, self.count) == self.number);
        let paths: Vec<String> = own.map(|prefix| format!("packages/{prefix}/*/*")).collect();
        patterns(&paths.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Whether it answers for a project.
    #[must_use]
    pub fn has(self, project: &ProjectName) -> bool {
        number_of(project.shard(), self.count) == self.number
    }
}

fn number_of(prefix: Shard, count: u32) -> u32 {
    u32::from(prefix.get()) * count / PREFIXES
}

/// Whether a role name has the form of a shard's: `claimed-SS`.
#[must_use]
pub fn is_claimed_shard(name: &str) -> bool {
    name.strip_prefix(CLAIMED)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|digits| Shard::parse(digits).is_some())
}

/// Has targets delegate to `claimed`, before every other role, if the policy has developers sign and
/// targets does not yet; says whether it was changed.
pub fn delegate_claimed(
    targets: &mut Targets,
    policy: &Policy,
    keys: &[PublicKey],
) -> Result<bool, MetadataError> {
    let (Some(claims), Some(delegations)) = (&policy.claims, &mut targets.delegations) else {
        return Ok(false);
    };
    let DelegatedRoles::Listed(roles) = &mut delegations.roles else {
        return Ok(false);
    };
    if roles.iter().any(|role| role.name.as_str() == CLAIMED) {
        return Ok(false);
    }
    let claimed = DelegatedRole {
        name: RoleName::parse(CLAIMED)?,
        keys: role_keys(keys, claims.claimed.threshold, &mut delegations.keys),
        paths: patterns(&CLAIMED_PATHS)?,
        // Whoever is not claimed is asked for further on.
        terminating: false,
    };
    roles.insert(0, claimed);
    Ok(true)
}

/// The role `claimed`: delegates to the shards in use, all with the same keys.
pub fn claimed_role(
    expires: Expiry,
    version: Version,
    shards: &BTreeSet<ClaimedShard>,
    keys: &[PublicKey],
    threshold: u32,
) -> Result<Targets, MetadataError> {
    let mut all = BTreeMap::new();
    let keys = role_keys(keys, threshold, &mut all);
    let shard = |shard: &ClaimedShard| {
        Ok(DelegatedRole {
            name: shard.role_name()?,
            keys: keys.clone(),
            paths: shard.paths()?,
            terminating: false,
        })
    };
    let roles = shards
        .iter()
        .map(shard)
        .collect::<Result<_, MetadataError>>()?;
    let delegations = Delegations {
        keys: all,
        roles: DelegatedRoles::Listed(roles),
    };
    Ok(Targets::new(version, expires).with_delegations(delegations))
}

/// The projects that a document delegates to, by their names; nothing if one of its delegations is
/// none to a project.
#[must_use]
pub fn delegated_projects(document: &Targets) -> Option<BTreeMap<ProjectName, DelegatedProject>> {
    let Some(delegations) = &document.delegations else {
        return Some(BTreeMap::new());
    };
    let DelegatedRoles::Listed(roles) = &delegations.roles else {
        return None;
    };
    let project = |role: &DelegatedRole| {
        let name = role.name.as_str().strip_prefix("project-")?;
        let project = ProjectName::parse_normalized(name).ok()?;
        let keys = role.keys.keyids.iter();
        let keys = keys.map(|id| Some((id.clone(), delegations.keys.get(id)?.clone())));
        let delegated = DelegatedProject {
            keys: keys.collect::<Option<_>>()?,
            role_keys: role.keys.clone(),
            project: project.clone(),
        };
        Some((project, delegated))
    };
    roles.iter().map(project).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lints::samples::developers_sign;

    fn claims(shards: u32) -> Claims {
        Claims {
            shards,
            ..developers_sign().claims.unwrap()
        }
    }

    /// Every project has one shard, whose paths and no other's cover it.
    #[test]
    fn every_prefix_belongs_to_one_shard() {
        for count in [1, 2, 10, 16, 255, 256] {
            let claims = claims(count);
            let mut seen = Vec::new();
            for number in 0..256 {
                let name = format!("claimed-{number:02x}");
                let Some(shard) = ClaimedShard::parse(&name, &claims) else {
                    assert!(number >= count, "{name} of {count}");
                    continue;
                };
                assert_eq!(shard.role_name().unwrap().as_str(), name);
                let PathSet::Patterns(paths) = shard.paths().unwrap() else {
                    panic!("shards have patterns");
                };
                assert!(!paths.is_empty(), "{name} of {count}");
                seen.extend(paths.iter().map(|path| path.as_str().to_owned()));
            }
            assert_eq!(seen.len(), 256, "{count}");
            assert!(seen.is_sorted(), "{count}");
        }
    }

    #[test]
    fn a_project_is_its_own_shards() {
        let claims = claims(16);
        // `requests` has the digits `ec`.
        let project = ProjectName::parse("requests").unwrap();
        let shard = ClaimedShard::of(&project, &claims);
        assert_eq!(shard.role_name().unwrap().as_str(), "claimed-0e");
        assert!(shard.has(&project));
        assert!(
            !ClaimedShard::parse("claimed-0d", &claims)
                .unwrap()
                .has(&project)
        );
        for name in [
            "claimed",
            "claimed-10",
            "claimed-e",
            "claimed-0E",
            "bins-0e",
        ] {
            assert_eq!(ClaimedShard::parse(name, &claims), None, "{name}");
        }
        assert!(is_claimed_shard("claimed-ff") && !is_claimed_shard("claimed-fg"));
    }
}
