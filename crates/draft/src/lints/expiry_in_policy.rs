//! A document expires after now and within the lifetime the policy gives its role.

use chrono::TimeDelta;
use metadata::{Document, Role};

use super::{Case, Rule, Subject};

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
    if expires.has_passed(case.now) {
        return vec![format!("expires at {expires}, which is not after now")];
    }
    let lifetime = lifetime(case);
    if expires.instant() > case.now + lifetime {
        let days = lifetime.num_days();
        return vec![format!(
            "expires at {expires}, more than {days} days from now"
        )];
    }
    Vec::new()
}

fn lifetime(case: &Case<'_>) -> TimeDelta {
    let roles = &case.policy.roles;
    match case.role {
        Role::Root => roles.root.lifetime,
        Role::Timestamp => roles.timestamp.lifetime,
        Role::Snapshot => roles.snapshot.lifetime,
        Role::Targets => roles.targets.lifetime,
        Role::Delegated(name) if name.as_str() == crate::BINS_PREFIX => roles.bins.lifetime,
        Role::Delegated(_) => roles.bin_n.lifetime,
    }
}
