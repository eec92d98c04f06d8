//! The bins have no key that is not the snapshot's: only then may the snapshot list their versions
//! without their hashes.

use std::collections::BTreeSet;

use metadata::{DelegatedRoles, KeyId, Role};

use super::{Case, Rule, Subject};
use crate::BINS_PREFIX;

pub(super) const RULE: Rule = Rule {
    name: "bins-share-snapshot-key",
    clause: "TUF 4.4 HASHES",
    check,
};

/// Who holds a bin's key but not the snapshot's could swap the bytes of a published version.
fn check(case: &Case<'_>) -> Vec<String> {
    let (Role::Delegated(name), Subject::Targets { new, .. }, Some(root)) =
        (case.role, case.subject, case.root)
    else {
        return Vec::new();
    };
    let (BINS_PREFIX, Some(delegations)) = (name.as_str(), &new.delegations) else {
        return Vec::new();
    };
    let of_bins: BTreeSet<&KeyId> = match &delegations.roles {
        DelegatedRoles::Listed(bins) => bins.iter().flat_map(|bin| &bin.keys.keyids).collect(),
        DelegatedRoles::Succinct(bins) => bins.keys.keyids.iter().collect(),
    };
    of_bins
        .into_iter()
        .filter(|id| !root.snapshot.keyids.contains(id))
        .map(|id| format!("key {} of the bins is not a snapshot key", id.short()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lints::samples::{bins, bins_with, key, of_bins};

    #[test]
    fn accepts_the_snapshot_key_only() {
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
        assert_eq!(of_bins(&RULE, &bins_with(&[key(99)])).len(), 1);
    }
}
