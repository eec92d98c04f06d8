//! What holds for any bytes and any release.

use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One byte changed anywhere: nothing panics, and what is still accepted is the same release.
    #[test]
    fn a_changed_byte_changes_no_release(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let stage = Stage::claimed();
        let honest = Stage::release();
        let mut bytes = stage.archive(&honest);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(accepted) = stage.verify_bytes(&bytes) {
            let files = accepted.new_files.iter().map(|new| new.file.clone());
            let expected = honest.dists.iter().map(|dist| dist.entries().remove(0).1);
            prop_assert!(files.eq(expected));
            prop_assert_eq!(accepted.roles.len(), 1);
            prop_assert_eq!(accepted.roles[0].version, v(2));
        }
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Transaction::open(Cursor::new(bytes), ClaimLimits::default());
    }

    /// Releases one after the other, divided among roles in any way: all their files are listed in
    /// the end, each by one role, and versions have no gap.
    #[test]
    fn honest_releases_are_all_accepted(by in prop::collection::vec(0_usize..3, 1..6)) {
        let mut stage = Stage::claimed();
        let mut listed: BTreeMap<RoleName, Vec<Dist>> = BTreeMap::new();
        listed.insert(role(""), vec![Dist::wheel("1.0"), Dist::sdist("1.0")]);
        for (number, who) in by.iter().enumerate() {
            let (sub, signers) = [
                ("", vec!["one", "two"]),
                ("alice", vec!["alice"]),
                ("farm", vec!["farm"]),
            ][*who].clone();
            let dist = Dist::wheel(&format!("2.{number}"));
            let all = listed.entry(role(sub)).or_default();
            all.push(dist.clone());
            let version = stage.published.last_versions[&role(sub)].get() + 1;
            let mut next = document(version, &all.iter().collect::<Vec<_>>());
            if sub.is_empty() {
                next.delegations = stage.first().document("").delegations.clone();
            }
            let roles = BTreeMap::from([(role(sub), (next, signers))]);
            let draft = Draft { roles, dists: vec![dist] };
            let accepted = stage.verify(&draft);
            prop_assert!(accepted.is_ok(), "{accepted:?}");
            stage.apply(&accepted.unwrap());
        }
        let files: usize = listed.values().map(Vec::len).sum();
        prop_assert_eq!(stage.published.files.len(), files * 2 - 1);
    }

    #[test]
    fn role_names_read_back(project in "[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", sub in "[a-z0-9-]{0,42}") {
        let project = ProjectName::parse(&project).unwrap();
        let role = match ProjectRole::sub(project.clone(), &sub) {
            Ok(role) => role,
            Err(_) => ProjectRole::of(project),
        };
        prop_assert_eq!(ProjectRole::parse(&role.name()).unwrap(), role);
    }
}
