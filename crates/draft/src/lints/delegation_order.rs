//! Who delegates to whom, in which order and how far: the table of roles, and nothing beside it.

use metadata::{DelegatedRole, DelegatedRoles, PathPattern, PathSet, Role};

use super::{Case, Rule, Subject, listed};
use crate::layout::{BINS_PATHS, CLAIMED_PATHS};
use crate::{BINS_PREFIX, RECENTLY_CLAIMED};

pub(super) const RULE: Rule = Rule {
    name: "delegation-order",
    clause: "PEP 458 \"Minimum Security Model\", TUF 4.5 TERMINATING",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let Subject::Targets { new, .. } = case.subject else {
        return Vec::new();
    };
    match case.role {
        Role::Targets => match new.delegations.as_ref().map(|list| &list.roles) {
            Some(DelegatedRoles::Listed(roles)) => check_top(roles, case.policy.claims.is_some()),
            _ => vec![format!("targets does not delegate to `{BINS_PREFIX}`")],
        },
        Role::Delegated(name) if listed::is_bin(name.as_str()) && new.delegations.is_some() => {
            vec!["a bin delegates to nobody".to_owned()]
        }
        _ => Vec::new(),
    }
}

/// One unknown role before the bins could speak for every file, so none is let through.
fn check_top(roles: &[DelegatedRole], developers_sign: bool) -> Vec<String> {
    let mut broken: Vec<String> = roles
        .iter()
        .filter(|role| {
            let name = role.name.as_str();
            name != BINS_PREFIX && !(developers_sign && name == RECENTLY_CLAIMED)
        })
        .map(|role| format!("targets delegates to the unknown role `{}`", role.name))
        .collect();
    let Some((bins, before)) = roles
        .split_last()
        .filter(|(last, _)| last.name.as_str() == BINS_PREFIX)
    else {
        broken.push(format!("`{BINS_PREFIX}` is not the last delegation"));
        return broken;
    };
    broken.extend(flaws(bins, &BINS_PATHS));
    for role in before {
        if role.name.as_str() == RECENTLY_CLAIMED {
            broken.extend(flaws(role, &CLAIMED_PATHS));
        }
    }
    broken
}

/// What keeps a search from going on after the role, or from asking it.
fn flaws(role: &DelegatedRole, paths: &[&str]) -> Vec<String> {
    let mut broken = Vec::new();
    if role.terminating {
        broken.push(format!("the delegation to `{}` is terminating", role.name));
    }
    let paths_fit = match &role.paths {
        PathSet::Patterns(patterns) => patterns
            .iter()
            .map(PathPattern::as_str)
            .eq(paths.iter().copied()),
        PathSet::HashPrefixes(_) => false,
    };
    if !paths_fit {
        let paths = paths.join(", ");
        broken.push(format!(
            "`{}` does not have exactly the paths {paths}",
            role.name
        ));
    }
    broken
}

#[cfg(test)]
mod tests {
    use metadata::{RoleName, Targets};

    use super::*;
    use crate::lints::samples::{
        bin_listing, bins, developers_sign, of_bin, of_bins, of_top, of_top_in, top, top_of,
    };

    fn top_changed(change: impl FnOnce(&mut Vec<DelegatedRole>)) -> Vec<String> {
        let mut one = top();
        if let Some(DelegatedRoles::Listed(roles)) =
            one.delegations.as_mut().map(|list| &mut list.roles)
        {
            change(roles);
        }
        of_top(&RULE, &one)
    }

    #[test]
    fn accepts_the_layout() {
        assert_eq!(top_changed(|_| {}), [""; 0]);
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
        let empty = bin_listing("simple/ec/requests/vnd.pypi.simple.v1.json");
        assert_eq!(of_bin(&RULE, "bins-0", &empty), [""; 0]);
    }

    #[test]
    fn refuses_another_order_flag_path_or_role() {
        let unknown = |roles: &mut Vec<DelegatedRole>| {
            let mut other = roles[0].clone();
            other.name = RoleName::parse("extra").unwrap();
            roles.insert(0, other);
        };
        assert_eq!(top_changed(unknown).len(), 1);
        assert_eq!(top_changed(Vec::clear).len(), 1);
        assert_eq!(top_changed(|roles| roles[0].terminating = true).len(), 1);
        let wider = |roles: &mut Vec<DelegatedRole>| {
            roles[0].paths = PathSet::Patterns(vec![PathPattern::parse("*/*/*/*").unwrap()]);
        };
        assert_eq!(top_changed(wider).len(), 1);
        let reordered = |roles: &mut Vec<DelegatedRole>| {
            unknown(roles);
            roles.swap(0, 1);
        };
        assert_eq!(top_changed(reordered).len(), 2);
    }

    /// `recently-claimed` belongs there if the policy has developers sign, and nowhere else.
    #[test]
    fn recently_claimed_stands_before_the_bins_and_does_not_terminate() {
        let listed = |change: fn(&mut Vec<DelegatedRole>), policy| {
            let mut top = top_of(policy);
            let Some(DelegatedRoles::Listed(roles)) =
                top.delegations.as_mut().map(|list| &mut list.roles)
            else {
                panic!("the layout lists its delegations");
            };
            change(roles);
            of_top_in(&RULE, &top, policy).len()
        };
        let policy = developers_sign();
        assert_eq!(listed(|roles| assert_eq!(roles.len(), 2), &policy), 0);
        assert_eq!(listed(|roles| roles[0].terminating = true, &policy), 1);
        assert_eq!(listed(|roles| roles.swap(0, 1), &policy), 1);
        let wider = |roles: &mut Vec<DelegatedRole>| {
            roles[0].paths = PathSet::Patterns(vec![PathPattern::parse("*/*/*/*").unwrap()]);
        };
        assert_eq!(listed(wider, &policy), 1);
        let top = top_of(&policy);
        assert_eq!(of_top(&RULE, &top).len(), 1, "the policy has nobody sign");
    }

    #[test]
    fn refuses_targets_without_and_bins_with_delegations() {
        let bare = Targets::new(top().version, top().expires);
        assert_eq!(of_top(&RULE, &bare).len(), 1);
        assert_eq!(of_bin(&RULE, "bins-0", &bins()).len(), 1);
    }
}
