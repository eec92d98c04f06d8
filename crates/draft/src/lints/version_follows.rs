//! A version follows the published one: roots by exactly one, others upwards.

use metadata::{Document, Version};

use super::{Case, Rule, Subject};

pub(super) const RULE: Rule = Rule {
    name: "version-follows",
    clause: "TUF 4.3 VERSION, 5.3.5",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let (new, previous, consecutive) = match case.subject {
        Subject::Root { new, previous } => (new.version, previous.map(Document::version), true),
        Subject::Targets { new, previous } => (new.version, previous.map(Document::version), false),
        Subject::Snapshot { new, previous } => {
            (new.version, previous.map(Document::version), false)
        }
        Subject::Timestamp { new, previous } => {
            (new.version, previous.map(Document::version), false)
        }
    };
    match previous {
        None if consecutive && new != Version::FIRST => {
            vec![format!("the first root is v1, not v{new}")]
        }
        Some(previous) if consecutive && Ok(new) != previous.next() => {
            vec![format!("v{new} does not follow v{previous} by one")]
        }
        Some(previous) if new <= previous => vec![format!("v{new} is not above v{previous}")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use metadata::{Role, Root};

    use super::*;
    use crate::lints::samples::{found, of_snapshot, root, snapshot};

    fn of(version: u64, previous: Option<u64>) -> Vec<String> {
        let at = |version| Root {
            version: Version::new(version).unwrap(),
            ..root()
        };
        let previous = previous.map(at);
        found(&RULE, &Role::Root, &at(version), previous.as_ref())
    }

    #[test]
    fn roots_are_consecutive() {
        assert_eq!(of(1, None), [""; 0]);
        assert_eq!(of(3, Some(2)), [""; 0]);
        for (version, previous) in [(2, None), (4, Some(2)), (2, Some(2)), (1, Some(2))] {
            assert_eq!(
                of(version, previous).len(),
                1,
                "{version} after {previous:?}"
            );
        }
    }

    #[test]
    fn others_grow() {
        let (two, five) = (snapshot(2, 0), snapshot(5, 0));
        assert_eq!(of_snapshot(&RULE, &five, Some(&two)), [""; 0]);
        assert_eq!(of_snapshot(&RULE, &five, Some(&five)).len(), 1);
        assert_eq!(of_snapshot(&RULE, &two, Some(&five)).len(), 1);
    }
}
