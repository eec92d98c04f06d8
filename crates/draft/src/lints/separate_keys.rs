//! Offline roles and online roles share no key.

use std::collections::{BTreeMap, BTreeSet};

use metadata::{KeyId, PublicKey, RoleKeys, Root};
use metadata::{KeyIdentity, VerifyingKey};
use policy::{KeyKind, RolePolicy};

use super::{Case, Rule, Subject, listed};

pub(super) const RULE: Rule = Rule {
    name: "separate-keys",
    clause: "PEP 458 \"Number and Type Of Keys Recommended\", TUF 6.1",
    check,
};

/// Keys by where they are kept. Compared as keys, not as ids (reference F33).
#[derive(Default)]
struct Sides {
    online: BTreeMap<KeyIdentity, KeyId>,
    offline: BTreeMap<KeyIdentity, KeyId>,
}

impl Sides {
    fn add<'a>(
        &mut self,
        all: &BTreeMap<KeyId, PublicKey>,
        roles: impl Iterator<Item = (&'a RoleKeys, Option<&'a RolePolicy>)>,
    ) {
        // Ids first: up to 16,384 bins list one and the same key.
        let mut online = BTreeSet::new();
        let mut offline = BTreeSet::new();
        for (keys, policy) in roles {
            match policy.map(|policy| policy.kind) {
                Some(KeyKind::Online) => online.extend(&keys.keyids),
                Some(KeyKind::Offline) => offline.extend(&keys.keyids),
                None => {}
            }
        }
        for (ids, side) in [(online, &mut self.online), (offline, &mut self.offline)] {
            for id in ids {
                if let Some(key) = all.get(id).and_then(|key| VerifyingKey::new(key).ok()) {
                    side.insert(key.identity().clone(), id.clone());
                }
            }
        }
    }
}

fn check(case: &Case<'_>) -> Vec<String> {
    let Some(keys) = listed::keys(case) else {
        return Vec::new();
    };
    let mut sides = Sides::default();
    let here = listed::roles(case);
    sides.add(keys, here.iter().map(|role| (role.keys, role.policy)));
    if let (Subject::Targets { .. }, Some(root)) = (case.subject, case.root) {
        sides.add(&root.keys, top_level(case, root).into_iter());
    }
    sides
        .online
        .iter()
        .filter(|(identity, _)| sides.offline.contains_key(identity))
        .map(|(_, id)| format!("key {} is in an online and in an offline role", id.short()))
        .collect()
}

/// The four top-level roles: what a delegating role must keep apart from.
fn top_level<'a>(case: &Case<'a>, root: &'a Root) -> [(&'a RoleKeys, Option<&'a RolePolicy>); 4] {
    let roles = &case.policy.roles;
    [
        (&root.root, Some(&roles.root)),
        (&root.timestamp, Some(&roles.timestamp)),
        (&root.snapshot, Some(&roles.snapshot)),
        (&root.targets, Some(&roles.targets)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lints::samples::{
        ONLINE, ROOT, bins, bins_with, key, of_bins, of_root, of_top, root, top, top_with,
    };

    #[test]
    fn accepts_roles_kept_apart() {
        assert_eq!(of_root(&RULE, &root()), [""; 0]);
        assert_eq!(of_top(&RULE, &top()), [""; 0]);
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
    }

    /// One holder may have one key for root and targets: both are offline.
    #[test]
    fn offline_roles_may_share() {
        let mut one = root();
        one.targets.keyids = vec![one.root.keyids[0].clone()];
        assert_eq!(of_root(&RULE, &one), [""; 0]);
    }

    #[test]
    fn refuses_an_online_key_in_an_offline_role() {
        let mut one = root();
        one.targets.keyids.push(key(ONLINE).id());
        assert_eq!(of_root(&RULE, &one).len(), 1);
        // `bins` is offline, the snapshot key of the root is not.
        assert_eq!(of_top(&RULE, &top_with(&[key(ONLINE)])).len(), 1);
        // The bins are online, the root keys are not.
        assert_eq!(of_bins(&RULE, &bins_with(&[key(ROOT[0])])).len(), 1);
    }

    #[test]
    fn another_key_id_does_not_hide_a_shared_key() {
        let mut one = root();
        let alias = KeyId::parse("alias").unwrap();
        one.keys.insert(alias.clone(), key(ONLINE));
        one.targets.keyids = vec![alias];
        assert_eq!(of_root(&RULE, &one).len(), 1);
    }
}
