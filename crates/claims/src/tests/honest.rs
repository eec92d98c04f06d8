//! What honest developers do, step by step.

use super::*;
use crate::{Layout, WITHDRAWN, withdrawn_value};

#[test]
fn a_project_starts_with_what_it_has_and_releases_through_a_sub_role() {
    let mut stage = Stage::unclaimed();
    let accepted = stage.verify(&stage.first()).unwrap();
    assert!(accepted.is_first);
    assert_eq!(accepted.roles.len(), 3);
    assert!(accepted.new_files.is_empty());
    let two = Layout {
        sub_roles: 2,
        roles_visited: 5,
    };
    assert_eq!(accepted.layout, two);
    stage.apply(&accepted);

    let accepted = stage.verify(&Stage::release()).unwrap();
    assert!(!accepted.is_first);
    assert_eq!(accepted.roles[0].name, role("alice"));
    let names: Vec<_> = accepted
        .new_files
        .iter()
        .map(|new| new.filename.as_str())
        .collect();
    assert_eq!(names, ["alpha-2.0-py3-none-any.whl", "alpha-2.0.zip"]);
    stage.apply(&accepted);
    // The same again is a version that is published.
    let again = stage.verify(&Stage::release()).unwrap_err();
    assert_eq!(again.code(), "version");
}

/// A project of one person: its files in `project-NAME` itself, one key.
#[test]
fn one_person_needs_no_sub_role() {
    let mut stage = Stage::unclaimed();
    stage.published.registration.role_keys = role_keys(&[&stage.keys["one"]], 1);
    let dists = [Dist::wheel("1.0"), Dist::sdist("1.0"), Dist::wheel("2.0")];
    let draft = Draft {
        roles: BTreeMap::from([(
            role(""),
            (document(1, &dists.iter().collect::<Vec<_>>()), vec!["one"]),
        )]),
        dists: vec![dists[2].clone()],
    };
    let accepted = stage.verify(&draft).unwrap();
    assert_eq!(accepted.new_files.len(), 1);
    assert_eq!(accepted.layout.roles_visited, 3);
    // A file that the index has may be sent again: it is the same.
    let again = Draft {
        dists: dists.to_vec(),
        ..draft
    };
    assert_eq!(stage.verify(&again).unwrap().new_files.len(), 1);
}

/// The project's keys revoke a maintainer; what she listed moves into the project's role.
#[test]
fn a_sub_role_is_rotated_and_given_up_by_the_project_alone() {
    let mut stage = Stage::claimed();
    let accepted = stage.verify(&Stage::release()).unwrap();
    stage.apply(&accepted);
    let farm = &stage.keys["farm"];
    // Alice's key goes; her role would have to be signed anew by the one that follows.
    let roles = vec![
        delegated("alice", &stage.keys["thief"], &[FilePattern::All]),
        delegated("farm", farm, &WHEELS),
    ];
    let there = [&Dist::wheel("1.0"), &Dist::sdist("1.0")];
    let keys = [&stage.keys["thief"], farm];
    let main = document(2, &there).with_delegations(delegations(&keys, roles));
    let mut rotated = Draft {
        roles: BTreeMap::from([(role(""), (main, vec!["one", "two"]))]),
        dists: Vec::new(),
    };
    assert_eq!(stage.verify(&rotated).unwrap_err().code(), "signatures");
    let dists = Stage::release().dists;
    let alice = document(3, &dists.iter().collect::<Vec<_>>());
    rotated.roles.insert(role("alice"), (alice, vec!["thief"]));
    stage.verify(&rotated).unwrap();

    // Or she leaves: no delegation, her files in the project's own role.
    let all: Vec<&Dist> = there.into_iter().chain(&dists).collect();
    let roles = vec![delegated("farm", farm, &WHEELS)];
    let main = document(2, &all).with_delegations(delegations(&[farm], roles));
    let left = Draft {
        roles: BTreeMap::from([(role(""), (main, vec!["one", "two"]))]),
        dists: Vec::new(),
    };
    let accepted = stage.verify(&left).unwrap();
    assert_eq!(accepted.layout.sub_roles, 1);
}

#[test]
fn files_are_given_up_by_name_and_never_come_back() {
    let mut stage = Stage::claimed();
    let farm = delegated("farm", &stage.keys["farm"], &WHEELS);
    let alice = delegated("alice", &stage.keys["alice"], &[FilePattern::All]);
    let keys = [&stage.keys["alice"], &stage.keys["farm"]];
    let next = |version, dists: &[&Dist]| {
        document(version, dists)
            .with_delegations(delegations(&keys, vec![alice.clone(), farm.clone()]))
    };
    let mut main = next(2, &[&Dist::wheel("1.0")]);
    let gone = BTreeSet::from([named("alpha-1.0.zip")]);
    main.extra
        .insert(WITHDRAWN.to_owned(), withdrawn_value(&gone));
    let draft = |main| Draft {
        roles: BTreeMap::from([(role(""), (main, vec!["one", "two"]))]),
        dists: Vec::new(),
    };
    let accepted = stage.verify(&draft(main)).unwrap();
    assert_eq!(accepted.withdrawn, gone);
    let back = next(3, &[&Dist::wheel("1.0"), &Dist::sdist("1.0")]);
    stage.apply(&accepted);
    let refused = stage.verify(&draft(back)).unwrap_err();
    assert_eq!(refused.code(), "file-reused");
}

#[test]
fn a_copy_of_a_distribution_is_what_was_sent() {
    let stage = Stage::claimed();
    let draft = Stage::release();
    let bytes = stage.archive(&draft);
    let mut transaction = Transaction::open(Cursor::new(&*bytes), ClaimLimits::default()).unwrap();
    for dist in &draft.dists {
        let mut copy = Vec::new();
        let file = transaction.copy(&dist.name, &mut copy).unwrap();
        assert_eq!(copy, dist.bytes);
        assert_eq!(file, dist.entries()[0].1);
    }
    assert!(
        transaction
            .copy(&named("alpha-9.0.zip"), &mut Vec::new())
            .is_err()
    );
}
