//! Every role can be signed for: enough distinct keys, all of them listed, none listed for nobody.

use std::collections::{BTreeMap, BTreeSet};

use metadata::KeyId;
use metadata::{KeyIdentity, VerifyingKey};

use super::{Case, Rule, listed};

pub(super) const RULE: Rule = Rule {
    name: "threshold-reachable",
    clause: "TUF 4.3 THRESHOLD, 5.3.4",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let Some(keys) = listed::keys(case) else {
        return Vec::new();
    };
    // Each key is understood once, however many roles list it: there are up to 16,384.
    let identities: BTreeMap<&KeyId, KeyIdentity> = keys
        .iter()
        .filter_map(|(id, key)| Some((id, VerifyingKey::new(key).ok()?.identity().clone())))
        .collect();
    let mut broken = Vec::new();
    let mut used = BTreeSet::new();
    for role in listed::roles(case) {
        let name = role.name;
        for id in &role.keys.keyids {
            if !keys.contains_key(id) {
                broken.push(format!(
                    "{name} lists key {}, which is not there",
                    id.short()
                ));
            }
        }
        let distinct: BTreeSet<&KeyIdentity> = role
            .keys
            .keyids
            .iter()
            .filter_map(|id| identities.get(id))
            .collect();
        let (have, threshold) = (distinct.len(), role.keys.threshold);
        if have < threshold as usize {
            broken.push(format!(
                "{name} needs {threshold} signatures and has {have} distinct keys that can sign"
            ));
        }
        used.extend(&role.keys.keyids);
    }
    for id in keys.keys().filter(|id| !used.contains(id)) {
        broken.push(format!("key {} is listed for no role", id.short()));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lints::samples::{bins, key, of_bins, of_root, of_top, root, top};

    #[test]
    fn accepts_the_layout() {
        assert_eq!(of_root(&RULE, &root()), [""; 0]);
        assert_eq!(of_top(&RULE, &top()), [""; 0]);
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
    }

    #[test]
    fn refuses_too_few_unlisted_and_unused_keys() {
        let mut one = root();
        one.root.threshold = 4;
        let found = of_root(&RULE, &one);
        assert_eq!(
            found,
            ["root needs 4 signatures and has 3 distinct keys that can sign"]
        );

        let mut one = root();
        one.keys.remove(&key(1).id());
        let found = of_root(&RULE, &one).join("; ");
        assert!(found.contains("root lists key"), "{found}");

        let mut one = root();
        one.keys.insert(key(99).id(), key(99));
        assert!(of_root(&RULE, &one)[0].ends_with("is listed for no role"));
    }

    /// Reference F33: one key under two key ids is one signer.
    #[test]
    fn a_key_under_two_ids_counts_once() {
        let mut one = root();
        let alias = KeyId::parse("alias").unwrap();
        one.keys.insert(alias.clone(), key(1));
        one.root.keyids = vec![key(1).id(), alias];
        let found = of_root(&RULE, &one).join("; ");
        assert!(found.contains("has 1 distinct keys"), "{found}");
    }
}
