//! Repositories with nothing wrong.

use audit::{SecondOpinion, Why};
use countersign_audit as audit;

use crate::index_of_two::{Bins, Index, role};

/// root, timestamp, snapshot, targets, bins and sixteen bins.
const ROLES: usize = 21;

#[tokio::test]
async fn both_readers_agree_on_an_honest_index() {
    let report = Index::new(Bins::Prefixes(16)).publish().audit().await;
    assert_eq!(report.findings, []);
    assert!(report.is_clean());
    assert_eq!(report.exit_code(), 0);
    assert_eq!((report.targets, report.lookups), (5, 5));
    assert_eq!((report.pages, report.files, report.files_seen), (2, 3, 0));
    let agrees = SecondOpinion::Agrees {
        roles: ROLES,
        targets: 5,
        files: 5,
    };
    assert_eq!(report.second_opinion, agrees);
}

#[tokio::test]
async fn every_role_is_reported_with_its_keys_and_delegator() {
    let report = Index::new(Bins::Prefixes(16)).publish().audit().await;
    assert_eq!(report.roles.len(), ROLES);
    let bin = report
        .roles
        .iter()
        .find(|it| it.role == role("bins-f"))
        .unwrap();
    assert_eq!(bin.delegator, role("bins"));
    assert_eq!((bin.keys, bin.threshold, bin.version.get()), (1, 1, 1));
    assert_eq!(report.roles.iter().map(|it| it.targets).sum::<usize>(), 5);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["second_opinion"]["verdict"], "agrees");
    assert_eq!(json["roles"][0]["role"], "root");
    assert_eq!(json["roles"][0]["version"], 1);
}

/// Clients refuse a snapshot that drops a role, so that of a project which was released stays.
#[tokio::test]
async fn a_role_that_was_given_up_is_a_tombstone_and_nothing_wrong() {
    let mut index = Index::new(Bins::Prefixes(16));
    index.given_up = vec!["bins-10", "project-gone"];
    let report = index.publish().audit().await;
    assert_eq!(report.findings, []);
    let found: Vec<_> = report.tombstones.iter().map(|one| &one.role).collect();
    assert_eq!(found, [&role("bins-10"), &role("project-gone")]);
    assert_eq!(report.roles.len(), ROLES);
    assert!(report.is_clean(), "{:?}", report.second_opinion);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["tombstones"][1]["role"], "project-gone");
}

/// Files bound by their page alone are looked at in the store; read only when asked for.
#[tokio::test]
async fn files_that_only_pages_bind_are_there() {
    let mut index = Index::new(Bins::Prefixes(16));
    index.files_are_targets = false;
    let published = index.publish();
    let read = published.audit().await;
    assert!(read.is_clean(), "{:?}", read.findings);
    assert_eq!(
        (read.targets, read.pages, read.files, read.files_seen),
        (2, 2, 3, 0)
    );
    let mut options = published.options();
    options.read_targets = false;
    let seen = published.audit_with(options).await;
    assert!(seen.is_clean(), "{:?}", seen.findings);
    assert_eq!((seen.pages, seen.files, seen.files_seen), (2, 0, 3));
}

#[tokio::test]
async fn a_developers_role_before_the_bins_is_walked_too() {
    let mut index = Index::new(Bins::Prefixes(16));
    let path = crate::index_of_two::path_of("mine-1.0.tar.gz");
    let pattern = format!(
        "packages/{}/mine/*",
        &path.as_str()["packages/".len()..][..2]
    );
    index.before_bins = vec![("project-mine", pattern, true)];
    index.list("project-mine", path, b"mine");
    let report = index.publish().audit().await;
    assert!(report.is_clean(), "{:?}", report.findings);
    let agrees = SecondOpinion::Agrees {
        roles: ROLES + 1,
        targets: 6,
        files: 6,
    };
    assert_eq!(report.second_opinion, agrees);
}

#[tokio::test]
async fn succinct_bins_are_read_by_us_alone() {
    let report = Index::new(Bins::Succinct(4)).publish().audit().await;
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!((report.pages, report.files, report.targets), (2, 3, 5));
    let role = role("bins");
    assert_eq!(
        report.second_opinion,
        SecondOpinion::NotAvailable(Why::SuccinctRoles { role })
    );
}
