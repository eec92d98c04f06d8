//! A snapshot stays below the size the policy reserves, so that the index can still grow.

use super::{Case, Rule, Subject, canonical_bytes};

pub(super) const RULE: Rule = Rule {
    name: "snapshot-head-room",
    clause: "TUF 5.5.1",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let Subject::Snapshot { new, .. } = case.subject else {
        return Vec::new();
    };
    let limit = case.policy.repository.snapshot_bytes;
    let length = case.canonical.len() as u64 + canonical_bytes::ENVELOPE_BYTES;
    if length <= limit {
        return Vec::new();
    }
    let roles = new.len();
    vec![format!(
        "{length} bytes for {roles} roles leave no room below the policy's {limit}"
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DraftDocument;
    use crate::lints::samples::{layout, now, policy, root, snapshot};
    use metadata::{Document, Role};

    #[test]
    fn refuses_to_cross_the_policys_limit() {
        let one = snapshot(1, 16);
        let canonical = one.to_canonical();
        let (mut policy, root) = (policy(), root());
        let mut found = |limit| {
            policy.repository.snapshot_bytes = limit;
            check(&Case {
                role: &Role::Snapshot,
                canonical: &canonical,
                subject: one.subject(None),
                now: now(),
                policy: &policy,
                root: Some(&root),
                layout: layout(),
                former: None,
            })
        };
        let length = canonical.len() as u64 + canonical_bytes::ENVELOPE_BYTES;
        assert_eq!(found(length), [""; 0]);
        assert_eq!(found(length - 1).len(), 1);
    }
}
