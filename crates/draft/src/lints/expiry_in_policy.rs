//! A document expires after now and within the lifetime the policy gives its role.

use metadata::Document;

use super::{Case, Rule, Subject, listed};

pub(super) const RULE: Rule = Rule {
    name: "expiry-in-policy",
    clause: "PEP 458 \"Metadata Expiry Times\", TUF 4.3 EXPIRES",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let expires = match case.subject {
        Subject::Root { new, .. } => new.expires(),
        Subject::Targets { new, .. } => new.expires(),
        Subject::Snapshot { new, .. } => new.expires(),
        Subject::Timestamp { new, .. } => new.expires(),
    };
    if !expires.is_exact_form() {
        return vec![format!(
            "expiry {expires} is not written YYYY-MM-DDTHH:MM:SSZ"
        )];
    }
    if expires.has_passed(case.now) {
        return vec![format!("expires at {expires}, which is not after now")];
    }
    let Some(policy) = listed::role_policy(case.policy, case.role) else {
        return vec!["the policy gives this role no lifetime".to_owned()];
    };
    if expires.instant() > case.now + policy.lifetime {
        let seconds = policy.lifetime.num_seconds();
        return vec![format!(
            "expires at {expires}, more than the {seconds} s the policy gives it"
        )];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use metadata::{Expiry, Role};

    use super::*;
    use crate::lints::samples::{bins, found, now, of_bins, of_root, role, root};

    #[test]
    fn accepts_the_policys_lifetime() {
        assert_eq!(of_root(&RULE, &root()), [""; 0]);
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
    }

    #[test]
    fn refuses_the_past_too_much_future_and_other_forms() {
        let second = TimeDelta::seconds(1);
        for expires in [
            Expiry::at(now()),
            Expiry::at(root().expires.instant() + second),
            Expiry::parse("2030-01-01T06:00:00+00:00").unwrap(),
        ] {
            let mut one = root();
            one.expires = expires;
            assert_eq!(of_root(&RULE, &one).len(), 1, "{expires}");
        }
        let unknown = found(&RULE, &role("claimed"), &bins(), None);
        assert_eq!(unknown, ["the policy gives this role no lifetime"]);
        assert_eq!(found(&RULE, &Role::Targets, &bins(), None), [""; 0]);
    }
}
