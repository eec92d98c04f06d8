//! `recently-claimed` delegates to projects and nothing else: each by its own name, to its own files,
//! terminating, and no more of them than clients read quickly.

use metadata::{DelegatedRole, DelegatedRoles, Role};

use super::{Case, Rule, Subject};
use crate::{DelegatedProject, RECENTLY_CLAIMED};

pub(super) const RULE: Rule = Rule {
    name: "projects-delegated",
    clause: "PEP 480 \"Maximum Security Model\", TUF 4.5 TERMINATING",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let (Role::Delegated(name), Subject::Targets { new, .. }) = (case.role, case.subject) else {
        return Vec::new();
    };
    if name.as_str() != RECENTLY_CLAIMED {
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

fn flaw(role: &DelegatedRole) -> Option<String> {
    let name = role.name.as_str();
    let project = name
        .strip_prefix("project-")
        .and_then(|project| index::ProjectName::parse_normalized(project).ok());
    let Some(project) = project else {
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
