//! `claimed` delegates to shards and nothing else: each to its own paths, none terminating, all with the
//! same keys; and one that is there stays, for its projects would be the index's again without it.

use metadata::{DelegatedRole, DelegatedRoles, Role, Targets};

use super::{Case, Rule, Subject};
use crate::{CLAIMED, ClaimedShard};

pub(super) const RULE: Rule = Rule {
    name: "claimed-shards",
    clause: "PEP 480 \"Maximum Security Model\", TUF 4.5 TERMINATING",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let (Role::Delegated(name), Subject::Targets { new, previous }) = (case.role, case.subject)
    else {
        return Vec::new();
    };
    if name.as_str() != CLAIMED {
        return Vec::new();
    }
    let mut broken = Vec::new();
    if !new.targets().is_empty() {
        broken.push(format!("`{name}` itself lists targets"));
    }
    let Some(roles) = listed(new) else {
        broken.push(format!("`{name}` does not list its shards"));
        return broken;
    };
    broken.extend(roles.iter().filter_map(|role| flaw(case, role)));
    let twice = roles.windows(2).filter(|two| two[0].name >= two[1].name);
    broken.extend(twice.map(|two| format!("`{}` is out of order, or twice", two[1].name)));
    let others = roles.iter().filter(|role| role.keys != roles[0].keys);
    broken.extend(others.map(|role| format!("`{}` has other keys than the first", role.name)));
    let before = previous.and_then(listed).unwrap_or_default();
    let gone = before
        .iter()
        .filter(|old| roles.iter().all(|role| role.name != old.name));
    broken.extend(gone.map(|old| format!("`{}` is no longer delegated to", old.name)));
    broken
}

fn listed(document: &Targets) -> Option<&[DelegatedRole]> {
    match &document.delegations.as_ref()?.roles {
        DelegatedRoles::Listed(roles) => Some(roles),
        DelegatedRoles::Succinct(_) => None,
    }
}

fn flaw(case: &Case<'_>, role: &DelegatedRole) -> Option<String> {
    let name = role.name.as_str();
    let claims = case.policy.claims.as_ref();
    let Some(shard) = claims.and_then(|claims| ClaimedShard::parse(name, claims)) else {
        return Some(format!("`{name}` is no shard that the policy has"));
    };
    // Whoever is not claimed is asked for further on.
    if role.terminating {
        return Some(format!("the delegation to `{name}` is terminating"));
    }
    if shard.paths().as_ref() != Ok(&role.paths) {
        return Some(format!(
            "`{name}` may speak for more or less than its shard"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use metadata::{Expiry, RoleName, Version};

    use super::*;
    use crate::claimed_role;
    use crate::lints::samples::{developers_sign, found_in, key, now, role};

    fn drawn(shards: &[&str]) -> Targets {
        let claims = developers_sign().claims.unwrap();
        let shards = shards
            .iter()
            .map(|name| ClaimedShard::parse(name, &claims).unwrap())
            .collect();
        let expires = Expiry::at(now() + chrono::TimeDelta::hours(1));
        claimed_role(expires, Version::FIRST, &shards, &[key(9)], 1).unwrap()
    }

    fn broken(change: impl FnOnce(&mut Vec<DelegatedRole>)) -> usize {
        let mut one = drawn(&["claimed-03", "claimed-0f"]);
        let Some(DelegatedRoles::Listed(roles)) =
            one.delegations.as_mut().map(|list| &mut list.roles)
        else {
            panic!("it lists its delegations");
        };
        change(roles);
        found_in(&RULE, &role(CLAIMED), &one, None, &developers_sign()).len()
    }

    #[test]
    fn accepts_what_is_drawn_and_refuses_the_rest() {
        assert_eq!(broken(|_| {}), 0);
        assert_eq!(broken(|roles| roles[0].terminating = true), 1);
        assert_eq!(broken(|roles| roles.swap(0, 1)), 1);
        assert_eq!(broken(|roles| roles[0].paths = roles[1].paths.clone()), 1);
        assert_eq!(broken(|roles| roles[1].keys.threshold = 2), 1);
        let unknown = |roles: &mut Vec<DelegatedRole>| {
            roles[1].name = RoleName::parse("claimed-10").unwrap();
        };
        assert_eq!(broken(unknown), 1, "the policy has sixteen");
    }

    #[test]
    fn a_shard_that_is_there_stays() {
        let (old, new) = (drawn(&["claimed-03"]), drawn(&["claimed-03", "claimed-04"]));
        let found = |new: &Targets, old| {
            found_in(&RULE, &role(CLAIMED), new, Some(old), &developers_sign())
        };
        assert_eq!(found(&new, &old), [""; 0]);
        assert_eq!(
            found(&old, &new),
            ["`claimed-04` is no longer delegated to"]
        );
    }
}
