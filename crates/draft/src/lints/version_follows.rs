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
