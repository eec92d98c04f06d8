//! Who delegates to whom, in which order and how far: the table of roles, and nothing beside it.

use metadata::{DelegatedRole, DelegatedRoles, PathPattern, PathSet, Role, Targets};

use super::{Case, Rule, Subject, listed};
use crate::layout::{BINS_PATHS, CLAIMED_PATHS};
use crate::{BINS_PREFIX, CLAIMED, RECENTLY_CLAIMED};

pub(super) const RULE: Rule = Rule {
    name: "delegation-order",
    clause: "PEP 458 \"Minimum Security Model\", TUF 4.5 TERMINATING",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let Subject::Targets { new, previous } = case.subject else {
        return Vec::new();
    };
    match case.role {
        Role::Targets => match new.delegations.as_ref().map(|list| &list.roles) {
            Some(DelegatedRoles::Listed(roles)) => {
                let mut broken = check_top(roles, case.policy.claims.is_some());
                broken.extend(previous.into_iter().flat_map(|old| left_out(old, roles)));
                broken
            }
            _ => vec![format!("targets does not delegate to `{BINS_PREFIX}`")],
        },
        Role::Delegated(name) if listed::is_bin(name.as_str()) && new.delegations.is_some() => {
            vec!["a bin delegates to nobody".to_owned()]
        }
        _ => Vec::new(),
    }
}

/// The roles that may come before the bins where developers sign, in the order they are asked (DESIGN §4).
/// `publishers-claimed` has its place between these two.
const BEFORE_BINS: [&str; 2] = [CLAIMED, RECENTLY_CLAIMED];

/// One unknown role before the bins could speak for every file, so none is let through.
fn check_top(roles: &[DelegatedRole], developers_sign: bool) -> Vec<String> {
    let mut broken: Vec<String> = roles
        .iter()
        .filter(|role| {
            let name = role.name.as_str();
            name != BINS_PREFIX && !(developers_sign && BEFORE_BINS.contains(&name))
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
    let place = |role: &&DelegatedRole| {
        BEFORE_BINS
            .iter()
            .position(|one| role.name.as_str() == *one)
    };
    let places: Vec<usize> = before.iter().filter_map(|role| place(&role)).collect();
    for role in before.iter().filter(|role| place(role).is_some()) {
        broken.extend(flaws(role, &CLAIMED_PATHS));
    }
    // An online role asked before the offline one could speak for what was claimed.
    if !places.windows(2).all(|two| two[0] < two[1]) {
        broken.push(format!(
            "the order is not {}, {BINS_PREFIX}",
            BEFORE_BINS.join(", ")
        ));
    }
    broken
}

/// Roles of projects that targets delegated to and does not any more: their projects would be the index's
/// again, without a word.
fn left_out(old: &Targets, roles: &[DelegatedRole]) -> Vec<String> {
    let has =
        |roles: &[DelegatedRole], name: &str| roles.iter().any(|role| role.name.as_str() == name);
    let Some(DelegatedRoles::Listed(before)) = old.delegations.as_ref().map(|list| &list.roles)
    else {
        return Vec::new();
    };
    let left_out = BEFORE_BINS
        .into_iter()
        .filter(|name| has(before, name) && !has(roles, name));
    left_out
        .map(|name| format!("targets no longer delegates to `{name}`"))
        .collect()
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
    use metadata::RoleName;

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
    fn claimed_is_asked_first() {
        let policy = developers_sign();
        let listed = |change: fn(&mut Vec<DelegatedRole>)| {
            let mut top = top_of(&policy);
            let keys = [crate::lints::samples::key(9)];
            assert_eq!(crate::delegate_claimed(&mut top, &policy, &keys), Ok(true));
            assert_eq!(crate::delegate_claimed(&mut top, &policy, &keys), Ok(false));
            let Some(DelegatedRoles::Listed(roles)) =
                top.delegations.as_mut().map(|list| &mut list.roles)
            else {
                panic!("the layout lists its delegations");
            };
            change(roles);
            of_top_in(&RULE, &top, &policy)
        };
        assert_eq!(listed(|roles| assert_eq!(roles.len(), 3)), [""; 0]);
        assert_eq!(
            listed(|roles| roles.swap(0, 1)),
            ["the order is not claimed, recently-claimed, bins"]
        );
        assert_eq!(listed(|roles| roles[1] = roles[0].clone()).len(), 1);
        assert_eq!(listed(|roles| roles[0].terminating = true).len(), 1);
        assert_eq!(
            listed(|roles| roles[0].paths = roles[2].paths.clone()).len(),
            1
        );
        assert!(!listed(|roles| roles.swap(0, 2)).is_empty());
    }

    #[test]
    fn what_speaks_for_projects_stays() {
        let policy = developers_sign();
        let (mut old, new) = (top_of(&policy), top_of(&policy));
        let found = |old: &Targets, new: &Targets| {
            crate::lints::samples::found_in(&RULE, &Role::Targets, new, Some(old), &policy)
        };
        assert_eq!(found(&old, &new), [""; 0]);
        let keys = [crate::lints::samples::key(9)];
        crate::delegate_claimed(&mut old, &policy, &keys).unwrap();
        assert_eq!(
            found(&old, &new),
            ["targets no longer delegates to `claimed`"]
        );
        assert_eq!(found(&new, &old), [""; 0]);
    }

    #[test]
    fn refuses_targets_without_and_bins_with_delegations() {
        let bare = Targets::new(top().version, top().expires);
        assert_eq!(of_top(&RULE, &bare).len(), 1);
        assert_eq!(of_bin(&RULE, "bins-0", &bins()).len(), 1);
    }
}
