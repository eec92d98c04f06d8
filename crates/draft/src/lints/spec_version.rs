//! Documents name the version of the specification this program follows.

use metadata::SPEC_VERSION;

use super::{Case, Rule, Subject};

pub(super) const RULE: Rule = Rule {
    name: "spec-version",
    clause: "TUF 4.3 SPEC_VERSION",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let found = match case.subject {
        Subject::Root { new, .. } => &new.spec_version,
        Subject::Targets { new, .. } => &new.spec_version,
        Subject::Snapshot { new, .. } => &new.spec_version,
        Subject::Timestamp { new, .. } => &new.spec_version,
    };
    if found == SPEC_VERSION {
        return Vec::new();
    }
    vec![format!("spec_version is `{found}`, not `{SPEC_VERSION}`")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lints::samples::{of_root, root};

    #[test]
    fn accepts_the_current_one_only() {
        let mut one = root();
        assert_eq!(of_root(&RULE, &one), [""; 0]);
        one.spec_version = "1.0".to_owned();
        assert_eq!(of_root(&RULE, &one).len(), 1);
    }
}
