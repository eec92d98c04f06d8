//! Every kind of change, between documents of the layout.

use metadata::{
    DelegatedRoles, Expiry, MetaFile, RoleName, Sha256, TargetFile, TargetPath, Value, Version,
};

use super::{Change, difference};
use crate::DraftDocument;
use crate::lints::samples::{
    BINS, ROOT, bin_listing, bins, bins_with, key, root, snapshot, timestamp, top, top_with,
};

fn words<R: DraftDocument>(new: &R, previous: &R) -> Vec<String> {
    let changes = difference(new, Some(previous));
    changes.iter().map(Change::to_string).collect()
}

#[test]
fn nothing_changes_nothing() {
    assert_eq!(words(&root(), &root()), [""; 0]);
    assert_eq!(words(&bins(), &bins()), [""; 0]);
}

#[test]
fn a_replaced_key_a_threshold_and_a_flag() {
    let mut new = root();
    new.version = new.version.next().unwrap();
    new.root.keyids[0] = key(9).id();
    new.root.threshold = 3;
    new.consistent_snapshot = false;
    new.extra.insert("x-note".to_owned(), Value::Null);
    let removed = &root().root.keyids[0];
    let expected = [
        "v1 becomes v2".to_owned(),
        format!("root: key of {} added", key(9).id().short()),
        format!("root: key of {} removed", removed.short()),
        "root: 3 of 3 must sign instead of 2".to_owned(),
        "member `consistent_snapshot` changes".to_owned(),
        "member `x-note` changes".to_owned(),
    ];
    assert_eq!(words(&new, &root()), expected);
}

#[test]
fn one_key_more_is_said_even_if_the_threshold_stays() {
    let mut new = root();
    new.root.keyids.push(key(9).id());
    assert_eq!(
        words(&new, &root())[1],
        "root: 2 of 4 must sign instead of 2"
    );
}

#[test]
fn all_bins_are_one_line() {
    let changes = words(&bins_with(&[key(9)]), &bins());
    assert_eq!(changes.len(), 2);
    assert!(changes[0].starts_with("bins-*: key of"), "{changes:?}");
    let first: Vec<String> = difference(&bins(), None)
        .iter()
        .map(Change::to_string)
        .collect();
    assert_eq!(
        first[1],
        "bins-* may now speak for their parts of all paths (16 bins, listed)"
    );
}

#[test]
fn delegations_come_go_widen_and_move() {
    let mut new = top();
    let Some(DelegatedRoles::Listed(roles)) = new.delegations.as_mut().map(|list| &mut list.roles)
    else {
        panic!("the layout lists its delegations");
    };
    roles[0].terminating = true;
    let mut other = roles[0].clone();
    other.name = RoleName::parse("extra").unwrap();
    roles.push(other);
    let changes = words(&new, &top());
    assert_eq!(changes.len(), 4, "{changes:?}");
    assert!(
        changes[0].contains("and nobody after it may instead of"),
        "{changes:?}"
    );
    assert!(
        changes[1].starts_with("extra may now speak for simple/"),
        "{changes:?}"
    );
    assert!(words(&top(), &new).contains(&"extra may no longer speak for anything".to_owned()));
    let mut moved = new.clone();
    if let Some(DelegatedRoles::Listed(roles)) =
        moved.delegations.as_mut().map(|list| &mut list.roles)
    {
        roles.swap(0, 1);
    }
    assert_eq!(words(&moved, &new), ["roles are asked in another order"]);
    assert_ne!(top_with(&[key(ROOT[0])]), top_with(&[key(BINS)]));
}

#[test]
fn files_and_versions_are_counted() {
    let path = |path: &str| TargetPath::parse(path).unwrap();
    let file = |text: &[u8]| TargetFile::new(1, Sha256::of(text));
    let old = bin_listing("a").with_targets([(path("a"), file(b"1")), (path("b"), file(b"1"))]);
    let new = bin_listing("a").with_targets([(path("a"), file(b"2")), (path("c"), file(b"1"))]);
    assert_eq!(words(&new, &old), ["files: 1 added, 1 removed, 1 changed"]);
    assert_eq!(
        words(&snapshot(2, 1), &snapshot(1, 2)),
        ["v1 becomes v2", "bins-1.json is no longer listed"]
    );
    let one = |version| {
        let version = Version::new(version).unwrap();
        timestamp(MetaFile::version_only(version))
    };
    let mut later = one(3);
    later.expires = Expiry::parse("2031-01-01T00:00:00Z").unwrap();
    assert_eq!(
        words(&later, &one(2)),
        [
            "expires 2031-01-01T00:00:00Z instead of 2030-01-01T00:10:00Z",
            "snapshot.json: v2 becomes v3"
        ]
    );
}

#[test]
fn names_replace_short_ids() {
    let id = key(ROOT[0]).id();
    let change = Change::KeyAdded {
        role: "root".to_owned(),
        keyid: id.clone(),
    };
    assert_eq!(
        change.to_string(),
        format!("root: key of {} added", id.short())
    );
    let ada = change.words(&|_| Some("Ada".to_owned()));
    assert_eq!(ada, format!("root: key of Ada ({}) added", id.short()));
}

#[test]
fn a_first_root_says_everything() {
    let words: Vec<String> = difference(&root(), None)
        .iter()
        .map(Change::to_string)
        .collect();
    assert_eq!(words[0], "first version v1, expires 2030-01-01T12:00:00Z");
    assert!(
        words.contains(&"root: 2 of 3 must sign".to_owned()),
        "{words:?}"
    );
}
