//! Bins leave only together with the online keys that signed a snapshot listing them.

use std::collections::BTreeSet;

use metadata::{DelegatedRoles, RoleName, Targets};

use super::{Case, Rule, Subject};
use crate::{BINS_PREFIX, BinLayout};

pub(super) const RULE: Rule = Rule {
    name: "bins-keep-names",
    clause: "TUF 5.3.11, 5.5.5",
    check,
};

/// What holders sign months before a snapshot can show that it was wrong.
fn check(case: &Case<'_>) -> Vec<String> {
    let Subject::Targets {
        new,
        previous: Some(previous),
    } = case.subject
    else {
        return Vec::new();
    };
    if case.role.name() != BINS_PREFIX || case.roles_may_leave() {
        return Vec::new();
    }
    let (now, before) = (names(new), names(previous));
    let leaving = before.difference(&now).count();
    if leaving == 0 {
        return Vec::new();
    }
    vec![format!(
        "{leaving} bins leave while an online key of a published root stays: clients that hold a \
         snapshot listing them would refuse every new one"
    )]
}

fn names(bins: &Targets) -> BTreeSet<RoleName> {
    match bins.delegations.as_ref().map(|list| &list.roles) {
        Some(DelegatedRoles::Listed(roles)) => roles.iter().map(|role| role.name.clone()).collect(),
        Some(DelegatedRoles::Succinct(_)) => {
            let layout = BinLayout::read(bins);
            let names = layout.into_iter().flat_map(|layout| {
                let bins = layout.count.bins();
                bins.filter_map(move |bin| layout.role_name(bin).ok())
            });
            names.collect()
        }
        None => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use index::BinCount;
    use metadata::{Document, Root, Version};
    use policy::Encoding;

    use super::*;
    use crate::lints::samples::{ONLINE, key, now, policy, role, root};
    use crate::{DraftDocument, FormerKeys, bins_role};

    fn bins(count: u64, encoding: Encoding) -> Targets {
        let count = BinCount::new(count).unwrap();
        let layout = BinLayout { count, encoding };
        bins_role(&policy(), now(), Version::FIRST, layout, &[key(ONLINE)]).unwrap()
    }

    fn found(new: &Targets, previous: Option<&Targets>, root: &Root, former: &[Root]) -> usize {
        let (policy, former) = (policy(), FormerKeys::of(former));
        let broken = check(&Case {
            role: &role("bins"),
            canonical: &new.to_canonical(),
            subject: new.subject(previous),
            now: now(),
            policy: &policy,
            root: Some(root),
            layout: BinLayout::read(new).unwrap(),
            former: Some(&former),
        });
        broken.len()
    }

    #[test]
    fn bins_leave_with_the_keys_and_not_before() {
        use Encoding::{PathHashPrefixes, Succinct};
        let old = bins(32, PathHashPrefixes);
        let mut new_keys = root();
        for role in [&mut new_keys.snapshot, &mut new_keys.timestamp] {
            role.keyids = vec![key(77).id()];
        }
        new_keys.keys.insert(key(77).id(), key(77));
        for (count, encoding, leaving) in [
            (32, PathHashPrefixes, false),
            (32, Succinct, false),
            // `bins-00` to `bins-1f` go on beside the new ones.
            (64, PathHashPrefixes, false),
            (16, PathHashPrefixes, true),
            (16, Succinct, true),
            (512, Succinct, true),
        ] {
            let new = bins(count, encoding);
            let same = found(&new, Some(&old), &root(), &[root()]);
            assert_eq!(same, usize::from(leaving), "{count} {encoding:?}");
            assert_eq!(found(&new, Some(&old), &new_keys, &[root()]), 0);
            assert_eq!(found(&new, None, &root(), &[root()]), 0);
            // The new key was in use once before.
            let again = [new_keys.clone(), root()];
            let back = found(&new, Some(&old), &new_keys, &again);
            assert_eq!(back, usize::from(leaving), "{count} {encoding:?}");
        }
    }
}
