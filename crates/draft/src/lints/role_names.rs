//! Role names are plain enough to be file names everywhere, and cannot be mistaken for a version.

use metadata::{DelegatedRoles, Role};

use super::{Case, Rule, listed};

pub(super) const RULE: Rule = Rule {
    name: "role-names",
    clause: "TUF 6.2.1, 4.5 ROLENAME",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let own = match case.role {
        Role::Delegated(name) => Some(name.as_str()),
        _ => None,
    };
    let prefix = match listed::delegations(case).map(|list| &list.roles) {
        Some(DelegatedRoles::Succinct(bins)) => Some(bins.name_prefix.as_str()),
        _ => None,
    };
    let delegated = listed::delegated(case)
        .iter()
        .map(|role| role.name.as_str());
    own.into_iter()
        .chain(prefix)
        .chain(delegated)
        .filter_map(|name| flaw(name).map(|flaw| format!("role name `{name}` {flaw}")))
        .collect()
}

/// `1.2.x.json` would be both version 1 of `2.x` and version 1.2 of `x` (reference F23, F43).
fn flaw(name: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Some("does not start with a letter")
    } else if !name.bytes().all(allowed) {
        Some("has a character outside a-z, 0-9 and `-`")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use metadata::RoleName;

    use super::*;
    use crate::lints::samples::{bins, of_bin, of_bins, of_top, top};

    #[test]
    fn accepts_generated_names() {
        assert_eq!(of_top(&RULE, &top()), [""; 0]);
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
        assert_eq!(of_bin(&RULE, "bins-0", &bins()), [""; 0]);
    }

    #[test]
    fn refuses_digits_first_dots_and_odd_characters() {
        for bad in ["2.foo", "a.b", "9", "-a", "Foo", "a/b", "a b", "../a"] {
            let mut one = top();
            let Some(DelegatedRoles::Listed(roles)) =
                one.delegations.as_mut().map(|list| &mut list.roles)
            else {
                panic!("the layout lists its delegations");
            };
            roles[0].name = RoleName::parse(bad).unwrap();
            assert_eq!(of_top(&RULE, &one).len(), 1, "{bad}");
            assert_eq!(of_bin(&RULE, bad, &bins()).len(), 1, "{bad}");
        }
    }
}
