//! Repositories with one thing wrong each; the finding names it.

use std::sync::Arc;

use audit::{AuditError, Difference, Finding, Report, SecondOpinion, Silent, Why};
use client::Kind;
use countersign_audit as audit;
use index::page_path;
use metadata::TargetPath;

use crate::index_of_two::{Bins, Index, content, path_of, project, role};

fn index() -> Index {
    Index::new(Bins::Prefixes(16))
}

/// The only finding.
fn only(report: &Report) -> &Finding {
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert!(!report.is_clean());
    &report.findings[0]
}

fn is_refused(report: &Report) -> bool {
    matches!(&report.second_opinion, SecondOpinion::Disagrees(differences)
        if matches!(differences[..], [Difference::Refused { .. }]))
}

#[tokio::test]
async fn a_target_in_the_wrong_bin() {
    let mut index = index();
    let path = path_of("lost-1.0.tar.gz");
    let (right, wrong) = (index.bin_of(&path), index.other_bin(&path));
    index.list(wrong.as_str(), path.clone(), b"lost");
    let report = index.publish().audit().await;
    let expected = Finding::Misplaced {
        path,
        role: role(wrong.as_str()),
        asked: vec![role("targets"), role("bins"), role(right.as_str())],
    };
    assert_eq!(only(&report), &expected);
    assert_eq!(report.exit_code(), 14);
    assert!(is_refused(&report), "{:?}", report.second_opinion);
}

#[tokio::test]
async fn a_target_behind_a_terminating_role() {
    let mut index = index();
    let path = path_of("one-1.0.tar.gz");
    let pattern = format!(
        "packages/{}/one/*",
        &path.as_str()["packages/".len()..][..2]
    );
    index.before_bins = vec![("project-one", pattern, true)];
    let report = index.publish().audit().await;
    let asked = |finding: &Finding| match finding {
        Finding::Misplaced { asked, .. } => asked.clone(),
        Finding::PageFile { cause, .. } => {
            assert_eq!(cause.kind, Kind::NotSigned);
            Vec::new()
        }
        other => panic!("{other}"),
    };
    let all: Vec<_> = report.findings.iter().map(asked).collect();
    let before = vec![role("targets"), role("project-one")];
    assert_eq!(all, [before.clone(), before, vec![], vec![]]);
}

#[tokio::test]
async fn a_target_that_an_earlier_role_answers_for() {
    let mut index = index();
    let path = path_of("one-1.0.tar.gz");
    index.list("targets", path.clone(), b"other bytes");
    let report = index.publish().audit().await;
    let shadowed = Finding::Shadowed {
        role: role(index.bin_of(&path).as_str()),
        path,
        by: role("targets"),
        same: false,
    };
    assert_eq!(report.findings[0], shadowed);
    // The page binds the bytes that nobody can get any more.
    assert!(
        matches!(&report.findings[1..], [Finding::PageFile { cause, .. }]
        if cause.kind == Kind::Digest && cause.why.contains("targets"))
    );
}

#[tokio::test]
async fn a_tampered_page() {
    let published = index().publish();
    let path = published.memory.named(&["simple/", "/one/"]);
    published.memory.put(&path, b"{}");
    let report = published.audit().await;
    assert!(
        matches!(only(&report), Finding::Page { project: found, cause }
            if *found == project("one") && cause.kind == Kind::Digest),
        "{:?}",
        report.findings
    );
    assert_eq!(report.exit_code(), 10);
}

#[tokio::test]
async fn a_signed_page_that_is_none() {
    let mut index = index();
    let path = page_path(&project("three"));
    index.list(&index.bin_of(&path).to_string(), path, b"[]");
    let report = index.publish().audit().await;
    assert!(matches!(only(&report), Finding::Page { project: found, .. }
        if *found == project("three")));
}

#[tokio::test]
async fn a_tampered_file_is_found_when_files_are_read() {
    let published = index().publish();
    let path = published.memory.named(&["two-0.1-py3-none-any.whl"]);
    published
        .memory
        .put(&path, &content("two-0.2-py3-none-any.whl"));
    let report = published.audit().await;
    assert!(matches!(only(&report), Finding::File { path, cause }
        if *path == path_of("two-0.1-py3-none-any.whl") && cause.kind == Kind::Digest));
}

#[tokio::test]
async fn a_file_that_a_page_binds_and_nobody_serves() {
    let mut index = index();
    index.files_are_targets = false;
    let published = index.publish();
    let gone = published.memory.named(&["one-1.0.tar.gz"]);
    published.memory.remove(&gone);
    for read_targets in [false, true] {
        let mut options = published.options();
        options.read_targets = read_targets;
        let report = published.audit_with(options).await;
        assert!(
            matches!(only(&report), Finding::PageFile { filename, cause, .. }
            if filename.as_str() == "one-1.0.tar.gz" && cause.kind == Kind::Network)
        );
    }
}

#[tokio::test]
async fn a_role_that_is_not_there() {
    let published = index().publish();
    published.memory.remove("1.bins-7.json");
    let report = published.audit().await;
    let missing = |finding: &Finding| {
        matches!(finding, Finding::Role { role: found, delegator, cause }
            if *found == role("bins-7") && *delegator == role("bins") && cause.kind == Kind::Network)
    };
    assert!(report.findings.iter().any(missing), "{:?}", report.findings);
    assert!(is_refused(&report), "{:?}", report.second_opinion);
}

#[tokio::test]
async fn a_role_signed_by_nobody_who_may() {
    let published = index().publish();
    let forged = r#"{"signatures":[],"signed":{"_type":"targets","expires":"2099-01-01T00:00:00Z","spec_version":"1.0.34","targets":{},"version":1}}"#;
    published.memory.put("1.bins-3.json", forged.as_bytes());
    let report = published.audit().await;
    assert!(matches!(&report.findings[0], Finding::Role { cause, .. }
        if cause.kind == Kind::Signatures));
    assert!(is_refused(&report), "{:?}", report.second_opinion);
}

#[tokio::test]
async fn an_expired_bin_is_no_disagreement() {
    let mut index = index();
    index.expired = vec!["bins-b".to_owned()];
    let report = index.publish().audit().await;
    assert!(matches!(&report.findings[0], Finding::Role { cause, .. }
        if cause.kind == Kind::Expired));
    let role = role("bins-b");
    assert_eq!(
        report.second_opinion,
        SecondOpinion::NotAvailable(Why::Expired { role })
    );
}

#[tokio::test]
async fn a_role_that_snapshot_lists_and_nobody_ever_delegated() {
    let mut index = index();
    index.also_in_snapshot = vec!["project-gone"];
    let report = index.publish().audit().await;
    assert!(
        matches!(only(&report), Finding::NotDelegated { role: found, cause }
        if *found == role("project-gone") && cause.kind == Kind::Network)
    );
    assert!(report.tombstones.is_empty());
}

#[tokio::test]
async fn a_tombstone_with_another_file_than_listed() {
    let mut index = index();
    index.given_up = vec!["project-gone"];
    let other_version = index.sign(&metadata::Targets::new(
        metadata::Version::new(2).unwrap(),
        index.expiry("project-gone"),
    ));
    for file in [other_version.as_slice(), b"{}"] {
        let published = index.publish();
        published.memory.put("1.project-gone.json", file);
        let report = published.audit().await;
        assert!(
            matches!(only(&report), Finding::NotDelegated { role: found, cause }
            if *found == role("project-gone") && cause.kind == Kind::Digest)
        );
    }
    // Listed by its version alone, as bins are.
    index.given_up.clear();
    index.also_in_snapshot = vec!["bins-10"];
    let published = index.publish();
    published.memory.put("1.bins-10.json", &other_version);
    let report = published.audit().await;
    assert!(matches!(only(&report), Finding::NotDelegated { .. }));
}

#[tokio::test]
async fn a_role_with_two_delegators() {
    let mut index = index();
    index.before_bins = vec![("bins-0", "elsewhere/*".to_owned(), false)];
    let report = index.publish().audit().await;
    let twice = Finding::TwoDelegators {
        role: role("bins-0"),
        first: role("targets"),
        second: role("bins"),
    };
    assert_eq!(only(&report), &twice);
}

#[tokio::test]
async fn a_path_in_the_folder_of_another_project() {
    let mut index = index();
    let path = TargetPath::parse("packages/00/one/one-1.0.tar.gz").unwrap();
    index.list(&index.bin_of(&path).to_string(), path.clone(), b"x");
    let report = index.publish().audit().await;
    assert!(matches!(only(&report), Finding::Path { path: found, .. } if *found == path));
}

#[tokio::test]
async fn a_first_root_that_is_gone_leaves_old_clients_behind() {
    let published = index().publish();
    published.memory.remove("1.root.json");
    let report = published.audit().await;
    assert!(
        matches!(only(&report), Finding::RootHistory { version, cause }
        if version.get() == 1 && cause.kind == Kind::Network)
    );
}

#[tokio::test]
async fn four_billion_bins_are_not_followed() {
    let published = Index::new(Bins::Succinct(32)).publish();
    let held = audit::audit(
        published.options(),
        Arc::clone(&published.memory) as _,
        &Silent,
    );
    let error = held.await.unwrap_err();
    assert!(matches!(error, AuditError::TooManyRoles { role: of, .. } if of == role("bins")));
}
