//! `recently-claimed` and the shards of `claimed` delegate to projects and nothing else: each by its own
//! name, to its own files, terminating; a shard to its own projects alone, `recently-claimed` to no more
//! than clients read quickly.

use metadata::{DelegatedRole, DelegatedRoles, Role};

use super::{Case, Rule, Subject};
use crate::{ClaimedShard, DelegatedProject, RECENTLY_CLAIMED, is_claimed_shard};

pub(super) const RULE: Rule = Rule {
    name: "projects-delegated",
    clause: "PEP 480 \"Maximum Security Model\", TUF 4.5 TERMINATING",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let (Role::Delegated(name), Subject::Targets { new, .. }) = (case.role, case.subject) else {
        return Vec::new();
    };
    let is_shard = is_claimed_shard(name.as_str());
    if name.as_str() != RECENTLY_CLAIMED && !is_shard {
        return Vec::new();
    }
    let mut broken = Vec::new();
    if !new.targets().is_empty() {
        broken.push(format!("`{name}` itself lists targets"));
    }
    let roles = match new.delegations.as_ref().map(|list| &list.roles) {
        Some(DelegatedRoles::Listed(roles)) => roles.as_slice(),
        Some(DelegatedRoles::Succinct(_)) => {
            broken.push(format!("`{name}` delegates to bins"));
            &[]
        }
        None => &[],
    };
    broken.extend(roles.iter().filter_map(flaw));
    let twice = roles.windows(2).filter(|two| two[0].name >= two[1].name);
    broken.extend(twice.map(|two| format!("`{}` is out of order, or twice", two[1].name)));
    if is_shard {
        broken.extend(strangers(case, name.as_str(), roles));
        return broken;
    }
    let limit = case
        .policy
        .claims
        .as_ref()
        .map_or(0, |claims| claims.recently_claimed_projects as usize);
    if roles.len() > limit {
        let found = roles.len();
        broken.push(format!("{found} projects, more than the policy's {limit}"));
    }
    broken
}

/// Projects that another shard answers for: nobody would ask this one, or two would speak for one
/// project (reference F31).
fn strangers(case: &Case<'_>, name: &str, roles: &[DelegatedRole]) -> Vec<String> {
    let claims = case.policy.claims.as_ref();
    let Some(shard) = claims.and_then(|claims| ClaimedShard::parse(name, claims)) else {
        return vec![format!("`{name}` is no shard that the policy has")];
    };
    let stranger = |role: &&DelegatedRole| project_of(role).is_some_and(|one| !shard.has(&one));
    let strangers = roles.iter().filter(stranger);
    strangers
        .map(|role| format!("`{}` belongs to another shard", role.name))
        .collect()
}

fn project_of(role: &DelegatedRole) -> Option<index::ProjectName> {
    let name = role.name.as_str().strip_prefix("project-")?;
    index::ProjectName::parse_normalized(name).ok()
}

fn flaw(role: &DelegatedRole) -> Option<String> {
    let name = role.name.as_str();
    let Some(project) = project_of(role) else {
        return Some(format!("`{name}` is not the role of a project"));
    };
    // Else the bins could answer for a file that the project has not (reference F29).
    if !role.terminating {
        return Some(format!("the delegation to `{name}` is not terminating"));
    }
    if DelegatedProject::paths(&project).as_ref() != Ok(&role.paths) {
        return Some(format!(
            "`{name}` may speak for more or less than its project"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use metadata::{Expiry, PathPattern, PathSet, RoleKeys, RoleName, Targets, Version};

    use super::*;
    use crate::lints::samples::{developers_sign, found_in, key, now, role};
    use crate::projects_role;

    fn project(name: &str) -> DelegatedProject {
        let key = key(9);
        DelegatedProject {
            project: index::ProjectName::parse(name).unwrap(),
            role_keys: RoleKeys {
                keyids: vec![key.id()],
                threshold: 1,
            },
            keys: [(key.id(), key)].into(),
        }
    }

    fn drawn() -> Targets {
        let expires = Expiry::at(now() + chrono::TimeDelta::hours(1));
        projects_role(
            expires,
            Version::FIRST,
            &[project("beta"), project("alpha")],
        )
        .unwrap()
    }

    fn broken(change: impl FnOnce(&mut Vec<DelegatedRole>)) -> usize {
        let mut one = drawn();
        let Some(DelegatedRoles::Listed(roles)) =
            one.delegations.as_mut().map(|list| &mut list.roles)
        else {
            panic!("it lists its delegations");
        };
        change(roles);
        let mut policy = developers_sign();
        policy.claims.as_mut().unwrap().recently_claimed_projects = 2;
        found_in(&RULE, &role(RECENTLY_CLAIMED), &one, None, &policy).len()
    }

    #[test]
    fn accepts_what_is_drawn() {
        assert_eq!(broken(|_| {}), 0);
    }

    /// `alpha` and `beta` have the digits 8e and f4.
    #[test]
    fn a_shard_has_its_own_projects() {
        let mut policy = developers_sign();
        policy.claims.as_mut().unwrap().shards = 1;
        let in_shard = |name: &str, policy: &policy::Policy| {
            found_in(&RULE, &role(name), &drawn(), None, policy)
        };
        assert_eq!(in_shard("claimed-00", &policy), [""; 0]);
        assert_eq!(in_shard("claimed-01", &policy).len(), 1);
        policy.claims.as_mut().unwrap().shards = 16;
        assert_eq!(in_shard("claimed-08", &policy).len(), 1);
        assert_eq!(in_shard("claimed-00", &policy).len(), 2);
    }

    #[test]
    fn refuses_other_names_paths_flags_orders_and_too_many() {
        assert_eq!(broken(|roles| roles[0].terminating = false), 1);
        assert_eq!(broken(|roles| roles.swap(0, 1)), 1);
        assert_eq!(broken(|roles| roles[1] = roles[0].clone()), 1);
        let bins = |roles: &mut Vec<DelegatedRole>| {
            roles[0].name = RoleName::parse("bins-0").unwrap();
        };
        assert_eq!(broken(bins), 1);
        let wider = |roles: &mut Vec<DelegatedRole>| {
            let all = PathPattern::parse("packages/*/*/*").unwrap();
            roles[0].paths = PathSet::Patterns(vec![all]);
        };
        assert_eq!(broken(wider), 1);
        let other = |roles: &mut Vec<DelegatedRole>| roles[0].paths = roles[1].paths.clone();
        assert_eq!(broken(other), 1);
        let more = |roles: &mut Vec<DelegatedRole>| {
            let mut one = roles[1].clone();
            one.name = RoleName::parse("project-gamma").unwrap();
            let gamma = index::ProjectName::parse("gamma").unwrap();
            one.paths = DelegatedProject::paths(&gamma).unwrap();
            roles.push(one);
        };
        assert_eq!(broken(more), 1);
    }
}
