//! The bytes to sign are canonical and within what clients read.

use metadata::Role;
use metadata::canonical::is_canonical;

use super::{Case, Rule};

pub(super) const RULE: Rule = Rule {
    name: "canonical-bytes",
    clause: "TUF 4.1, 5.3.3, 5.4.1, 5.5.1, 5.6.1",
    check,
};

/// Room for the envelope and its signatures beside the signed part: a dozen signatures of the
/// largest kind.
const ENVELOPE_BYTES: u64 = 16_384;

fn check(case: &Case<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    if !is_canonical(case.canonical) || case.canonical.iter().any(|byte| *byte < 0x20) {
        broken.push("the signed part is not canonical JSON".to_owned());
    }
    let limit = match case.role {
        Role::Root => case.policy.client.root_bytes.saturating_sub(ENVELOPE_BYTES),
        Role::Timestamp => case
            .policy
            .client
            .timestamp_bytes
            .saturating_sub(ENVELOPE_BYTES / 4),
        Role::Snapshot => case.policy.repository.snapshot_bytes,
        Role::Targets | Role::Delegated(_) => case.policy.repository.role_bytes,
    };
    let length = case.canonical.len() as u64;
    if length > limit {
        broken.push(format!(
            "{length} bytes are more than the {limit} that clients read"
        ));
    }
    broken
}
