//! `bins` delegates to every bin there is, each with its own prefixes and all with the same keys.

use metadata::{DelegatedRole, DelegatedRoles, PathSet, Role, SuccinctRoles};
use policy::Encoding;

use super::{Case, Rule, Subject};
use crate::{BINS_PREFIX, BinLayout};

pub(super) const RULE: Rule = Rule {
    name: "bins-complete",
    clause: "PEP 458 \"Metadata Scalability\", TAP 15, TUF 4.5",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let (Role::Delegated(name), Subject::Targets { new, .. }) = (case.role, case.subject) else {
        return Vec::new();
    };
    if name.as_str() != BINS_PREFIX {
        return Vec::new();
    }
    match new.delegations.as_ref().map(|list| &list.roles) {
        None => vec!["bins delegates to no bin".to_owned()],
        Some(DelegatedRoles::Succinct(bins)) => check_succinct(bins, case.layout),
        Some(DelegatedRoles::Listed(bins)) => check_listed(bins, case.layout),
    }
}

fn check_succinct(bins: &SuccinctRoles, layout: BinLayout) -> Vec<String> {
    let mut broken = Vec::new();
    if layout.encoding != Encoding::Succinct {
        broken.push("bins are listed succinctly, which this index does not do".to_owned());
    }
    if bins.name_prefix != BINS_PREFIX {
        broken.push(format!(
            "bins are called `{}-…`, not `{BINS_PREFIX}-…`",
            bins.name_prefix
        ));
    }
    if bins.bit_length != u32::from(layout.count.bit_length()) {
        broken.push(wrong_count(bins.count(), layout));
    }
    broken
}

fn check_listed(bins: &[DelegatedRole], layout: BinLayout) -> Vec<String> {
    let mut broken = Vec::new();
    if layout.encoding != Encoding::PathHashPrefixes {
        broken.push("bins are listed one by one, which this index does not do".to_owned());
    }
    // A bin that is missing turns "no such file" into an error (reference F28).
    if bins.len() as u64 != u64::from(layout.count.get()) {
        broken.push(wrong_count(bins.len() as u64, layout));
        return broken;
    }
    for (bin, listed) in layout.count.bins().zip(bins) {
        if layout.role_name(bin).as_ref() != Ok(&listed.name) {
            broken.push(format!("bin {} is called `{}`", bin.get(), listed.name));
        }
        if listed.paths != PathSet::HashPrefixes(bin.hash_prefixes()) {
            broken.push(format!(
                "`{}` has other hash prefixes than its own",
                listed.name
            ));
        }
        if listed.terminating {
            broken.push(format!(
                "the delegation to `{}` is terminating",
                listed.name
            ));
        }
        if listed.keys != bins[0].keys {
            broken.push(format!(
                "`{}` has other keys than the first bin",
                listed.name
            ));
        }
    }
    broken
}

fn wrong_count(found: u64, layout: BinLayout) -> String {
    format!("{found} bins are listed; this index has {}", layout.count)
}

#[cfg(test)]
mod tests {
    use metadata::{RoleName, Targets};

    use super::*;
    use crate::bins_role;
    use crate::lints::samples::{bins, key, layout, now, of_bins, policy};

    fn changed(change: impl FnOnce(&mut Vec<DelegatedRole>)) -> Vec<String> {
        let mut one = bins();
        if let Some(DelegatedRoles::Listed(roles)) =
            one.delegations.as_mut().map(|list| &mut list.roles)
        {
            change(roles);
        }
        of_bins(&RULE, &one)
    }

    #[test]
    fn accepts_all_bins() {
        assert_eq!(changed(|_| {}), [""; 0]);
    }

    #[test]
    fn refuses_missing_misnamed_misplaced_and_foreign_bins() {
        assert_eq!(
            changed(|bins| drop(bins.pop())),
            ["15 bins are listed; this index has 16"]
        );
        let misnamed = changed(|bins| bins[3].name = RoleName::parse("bins-03").unwrap());
        assert_eq!(misnamed, ["bin 3 is called `bins-03`"]);
        let swapped = changed(|bins| {
            let paths = bins[0].paths.clone();
            bins[0].paths = std::mem::replace(&mut bins[1].paths, paths);
        });
        assert_eq!(swapped.len(), 2);
        assert_eq!(changed(|bins| bins[15].terminating = true).len(), 1);
        assert_eq!(
            changed(|bins| bins[15].keys.keyids = vec![key(9).id()]).len(),
            1
        );
        let empty = Targets::new(bins().version, bins().expires);
        assert_eq!(of_bins(&RULE, &empty), ["bins delegates to no bin"]);
    }

    #[test]
    fn succinct_bins_have_the_prefix_and_the_count() {
        let succinct = BinLayout {
            encoding: Encoding::Succinct,
            ..layout()
        };
        let one = bins_role(&policy(), now(), bins().version, succinct, &[key(6)]).unwrap();
        let Some(DelegatedRoles::Succinct(mut roles)) = one.delegations.map(|list| list.roles)
        else {
            panic!("asked for succinct bins");
        };
        assert_eq!(check_succinct(&roles, succinct), [""; 0]);
        assert_eq!(check_succinct(&roles, layout()).len(), 1);
        roles.name_prefix = "bin".to_owned();
        roles.bit_length = 5;
        assert_eq!(check_succinct(&roles, succinct).len(), 2);
    }
}
