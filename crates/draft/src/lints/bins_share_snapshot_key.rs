//! Bins whose keys are not the snapshot's are listed with their hashes, and then the snapshot must
//! still fit.

use std::collections::BTreeSet;

use metadata::{DelegatedRoles, KeyId, Role};

use super::{Case, Rule, Subject};
use crate::BINS_PREFIX;

pub(super) const RULE: Rule = Rule {
    name: "bins-share-snapshot-key",
    clause: "TUF 4.4 HASHES, 5.5.1",
    check,
};

/// Bytes of one entry of a snapshot with version, length and SHA-256, its longest name and
/// punctuation included: 2.2 MB at 16,384 bins.
const ENTRY_BYTES: u64 = 137;

/// Who holds a bin's key but not the snapshot's could swap the bytes of a published version, so the
/// snapshot lists such bins in full (the repository does, whenever the keys differ). That takes four
/// times the room: too many bins would cross the policy's limit once they are all signed.
fn check(case: &Case<'_>) -> Vec<String> {
    let (Role::Delegated(name), Subject::Targets { new, .. }, Some(root)) =
        (case.role, case.subject, case.root)
    else {
        return Vec::new();
    };
    let (BINS_PREFIX, Some(delegations)) = (name.as_str(), &new.delegations) else {
        return Vec::new();
    };
    let (of_bins, count): (BTreeSet<&KeyId>, u64) = match &delegations.roles {
        DelegatedRoles::Listed(bins) => (
            bins.iter().flat_map(|bin| &bin.keys.keyids).collect(),
            bins.len() as u64,
        ),
        DelegatedRoles::Succinct(bins) => (bins.keys.keyids.iter().collect(), bins.count()),
    };
    let of_snapshot: BTreeSet<&KeyId> = root.snapshot.keyids.iter().collect();
    let limit = case.policy.repository.snapshot_bytes;
    let needed = count * ENTRY_BYTES;
    if of_bins == of_snapshot || needed <= limit {
        return Vec::new();
    }
    vec![format!(
        "the bins have other keys than the snapshot, so it must list their hashes: {needed} bytes for \
         {count} bins, above the policy's {limit}"
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DraftDocument;
    use crate::lints::samples::{bins, bins_with, key, layout, now, of_bins, policy, role, root};
    use metadata::Document;

    #[test]
    fn accepts_the_snapshot_key_and_others_where_hashes_fit() {
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
        assert_eq!(of_bins(&RULE, &bins_with(&[key(99)])), [""; 0]);
    }

    #[test]
    fn refuses_other_keys_where_hashes_do_not_fit() {
        let (mut policy, root) = (policy(), root());
        policy.repository.snapshot_bytes = 16 * ENTRY_BYTES - 1;
        let found = |policy: &policy::Policy, new: &metadata::Targets| {
            check(&Case {
                role: &role("bins"),
                canonical: &new.to_canonical(),
                subject: new.subject(None),
                now: now(),
                policy,
                root: Some(&root),
                layout: layout(),
                former: None,
            })
        };
        assert_eq!(found(&policy, &bins()), [""; 0]);
        assert_eq!(found(&policy, &bins_with(&[key(99)])).len(), 1);
        policy.repository.snapshot_bytes += 1;
        assert_eq!(found(&policy, &bins_with(&[key(99)])), [""; 0]);
    }
}
