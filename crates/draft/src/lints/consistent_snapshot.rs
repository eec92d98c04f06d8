//! The root says that files are named by version and hash.

use super::{Case, Rule, Subject};

pub(super) const RULE: Rule = Rule {
    name: "consistent-snapshot",
    clause: "TUF 6.2.1, PEP 458 \"Consistent Snapshots\"",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    match case.subject {
        Subject::Root { new, .. } if !new.consistent_snapshot => {
            vec!["consistent_snapshot is not true".to_owned()]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lints::samples::{of_root, root};

    #[test]
    fn accepts_true_only() {
        let mut one = root();
        assert_eq!(of_root(&RULE, &one), [""; 0]);
        one.consistent_snapshot = false;
        assert_eq!(of_root(&RULE, &one).len(), 1);
    }
}
