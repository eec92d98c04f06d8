//! Roles have at least the keys and the threshold the policy gives them.

use super::{Case, Rule, listed};

pub(super) const RULE: Rule = Rule {
    name: "policy-threshold",
    clause: "PEP 458 \"Number and Type Of Keys Recommended\"",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for role in listed::roles(case) {
        let (name, Some(policy)) = (role.name, role.policy) else {
            continue;
        };
        if role.keys.threshold < policy.threshold {
            broken.push(format!(
                "{name} needs {} signatures, the policy asks for {}",
                role.keys.threshold, policy.threshold
            ));
        }
        // More than the policy's number is allowed: a rotation with overlap lists old and new.
        if role.keys.keyids.len() < policy.keys as usize {
            broken.push(format!(
                "{name} has {} keys, the policy asks for {}",
                role.keys.keyids.len(),
                policy.keys
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lints::samples::{bins, of_bins, of_root, of_top, root, top};

    #[test]
    fn accepts_what_the_policy_asks_for() {
        assert_eq!(of_root(&RULE, &root()), [""; 0]);
        assert_eq!(of_top(&RULE, &top()), [""; 0]);
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
    }

    #[test]
    fn refuses_less() {
        let mut one = root();
        one.root.threshold = 1;
        one.root.keyids.pop();
        assert_eq!(
            of_root(&RULE, &one),
            [
                "root needs 1 signatures, the policy asks for 2",
                "root has 2 keys, the policy asks for 3"
            ]
        );
    }
}
