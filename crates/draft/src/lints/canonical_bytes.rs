//! The bytes to sign are canonical and within what clients read.

use metadata::Role;
use metadata::canonical::{has_control, is_canonical};

use super::{Case, Rule};

pub(super) const RULE: Rule = Rule {
    name: "canonical-bytes",
    clause: "TUF 4.1, 5.3.3, 5.4.1, 5.5.1, 5.6.1",
    check,
};

/// Room for the envelope and its signatures beside the signed part: a dozen signatures of the
/// largest kind.
pub(crate) const ENVELOPE_BYTES: u64 = 16_384;

fn check(case: &Case<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    if !is_canonical(case.canonical) {
        broken.push("the signed part is not canonical JSON".to_owned());
    }
    // PEM keys have line ends; nothing else has a use for control characters.
    let control = |byte: &u8| *byte < 0x20 && *byte != b'\n';
    if has_control(case.canonical) && case.canonical.iter().any(control) {
        broken.push("the signed part has a control character".to_owned());
    }
    let (client, repository) = (&case.policy.client, &case.policy.repository);
    let (name, limit) = match case.role {
        Role::Root => (
            "client.root_bytes",
            client.root_bytes.saturating_sub(ENVELOPE_BYTES),
        ),
        Role::Timestamp => (
            "client.timestamp_bytes",
            client.timestamp_bytes.saturating_sub(ENVELOPE_BYTES / 4),
        ),
        Role::Snapshot => (
            "client.snapshot_bytes",
            client.snapshot_bytes.saturating_sub(ENVELOPE_BYTES),
        ),
        Role::Targets | Role::Delegated(_) => ("repository.role_bytes", repository.role_bytes),
    };
    let length = case.canonical.len() as u64;
    if length > limit {
        broken.push(format!(
            "{length} bytes are more than the {limit} that clients read (`{name}`)"
        ));
    }
    broken
}

#[cfg(test)]
mod tests {
    use metadata::{Document, MetadataError, Value};

    use super::*;
    use crate::DraftDocument;
    use crate::lints::samples::{bins, layout, now, of_bins, of_root, policy, root};

    #[test]
    fn accepts_the_layout() {
        assert_eq!(of_root(&RULE, &root()), [""; 0]);
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
    }

    #[test]
    fn refuses_control_characters_and_other_bytes_than_canonical() -> Result<(), MetadataError> {
        let mut one = root();
        let control = Value::parse(br#""\u0001""#)?;
        one.extra.insert("x-note".to_owned(), control);
        assert_eq!(of_root(&RULE, &one).len(), 1);
        let (one, policy) = (root(), policy());
        let spaced = [b" ", one.to_canonical().as_slice()].concat();
        let case = Case {
            role: &Role::Root,
            canonical: &spaced,
            subject: one.subject(None),
            now: now(),
            policy: &policy,
            root: None,
            layout: layout(),
            former: None,
        };
        assert_eq!(check(&case).len(), 1);
        Ok(())
    }

    /// A shard of claimed projects grows with every ceremony, up to here.
    #[test]
    fn refuses_a_shard_above_the_policys_limit() {
        use crate::lints::samples::{developers_sign, found_in, role};
        let (mut policy, one) = (developers_sign(), bins());
        let length = one.to_canonical().len() as u64;
        let mut found = |limit| {
            policy.repository.role_bytes = limit;
            found_in(&RULE, &role("claimed-00"), &one, None, &policy)
        };
        assert_eq!(found(length), [""; 0]);
        let limit = length - 1;
        let expected = format!(
            "{length} bytes are more than the {limit} that clients read (`repository.role_bytes`)"
        );
        assert_eq!(found(limit), [expected]);
    }

    #[test]
    fn refuses_more_than_clients_read() {
        let mut one = root();
        let long = Value::String("a".repeat(600_000));
        one.extra.insert("x-note".to_owned(), long);
        assert_eq!(of_root(&RULE, &one).len(), 1);
    }
}
