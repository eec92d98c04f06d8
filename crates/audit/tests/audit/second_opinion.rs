//! Repositories that show their two readers different things, and a second reader who cannot be
//! asked.

use audit::{Difference, SecondOpinion, Why};
use chrono::TimeDelta;
use countersign_audit as audit;
use metadata::Sha256;

use crate::index_of_two::{Bins, Index, content, path_of};
use crate::memory::Answer;
use crate::published::Published;

fn published() -> (Index, Published) {
    let index = Index::new(Bins::Prefixes(16));
    let published = index.publish();
    (index, published)
}

fn differences(opinion: &SecondOpinion) -> &[Difference] {
    match opinion {
        SecondOpinion::Disagrees(differences) => differences,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_bin_with_other_targets_for_the_second_reader() {
    let (index, published) = published();
    let path = path_of("one-1.0.tar.gz");
    let bin = index.bin_of(&path);
    let other = index.bin_with(&path, b"other bytes");
    let name = format!("1.{bin}.json");
    published.memory.later(&name, Answer::Bytes(other));
    let report = published.audit().await;
    assert_eq!(report.findings, []);
    assert!(!report.is_clean());
    assert_eq!(report.exit_code(), 1);
    let found = differences(&report.second_opinion);
    let about_file = |difference: &&Difference| {
        matches!(difference, Difference::Target { role, path: of, ours: Some(ours), theirs: Some(theirs) }
            if *role == bin.as_str() && *of == path.as_str()
                && ours.sha256 == Sha256::of(&content("one-1.0.tar.gz")).to_string()
                && theirs.sha256 == Sha256::of(b"other bytes").to_string())
    };
    assert_eq!(found.iter().filter(about_file).count(), 1, "{found:?}");
}

#[tokio::test]
async fn a_file_with_other_bytes_for_the_second_reader() {
    let (_, published) = published();
    let name = published.memory.named(&["one-1.0.tar.gz"]);
    // Seen once by us as a file; the sample of the second opinion reads it again, both ways.
    let mut options = published.options();
    options.read_targets = false;
    published.memory.later(&name, Answer::NotFound);
    let report = published.audit_with(options).await;
    let found = differences(&report.second_opinion);
    assert!(
        matches!(found, [Difference::File { path, ours: None, theirs: Some(_) }]
            if *path == path_of("one-1.0.tar.gz")),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_newer_timestamp_that_only_the_second_reader_cannot_verify() {
    let (_, published) = published();
    published
        .memory
        .later("timestamp.json", Answer::Bytes(b"{}".to_vec()));
    let report = published.audit().await;
    assert!(matches!(
        differences(&report.second_opinion),
        [Difference::Refused { .. }]
    ));
}

#[tokio::test]
async fn a_second_reading_that_breaks_off_is_no_disagreement() {
    let (_, published) = published();
    published.memory.later("1.bins-0.json", Answer::Reset);
    let report = published.audit().await;
    assert!(report.is_clean());
    assert!(matches!(&report.second_opinion,
        SecondOpinion::NotAvailable(Why::Unreachable { why }) if why.contains("reset")));
}

#[tokio::test]
async fn another_time_than_the_clocks() {
    let (_, published) = published();
    let mut options = published.options();
    options.now += TimeDelta::hours(1);
    let report = published.audit_with(options).await;
    assert!(report.is_clean(), "{:?}", report.findings);
    assert!(matches!(
        report.second_opinion,
        SecondOpinion::NotAvailable(Why::OtherTime { .. })
    ));
}
