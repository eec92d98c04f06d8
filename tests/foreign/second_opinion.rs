//! tough reads what we publish, through `audit`: role by role, target by target.

use std::sync::Arc;

use audit::{AuditOptions, Report, SecondOpinion, Silent, Why, audit};
use chrono::Utc;
use client::FileTransport;
use countersign_tests::environment::samples;
use countersign_tests::published::{Made, PublishedIndex};
use keys::KeyType;
use policy::Encoding;
use trust::Rules;
use url::Url;

fn audited(made: Made, bend: impl FnOnce(&PublishedIndex)) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let index = PublishedIndex::make(folder.path(), made, &samples());
    bend(&index);
    report(&index)
}

/// What `audit` says of an index.
pub(crate) fn report(index: &PublishedIndex) -> Report {
    let url = |part: &str| Url::from_directory_path(index.store().join(part)).unwrap();
    let options = AuditOptions {
        metadata_url: url("metadata"),
        targets_url: url("targets"),
        trusted_root: std::fs::read(index.root()).unwrap(),
        rules: Rules::default(),
        now: Utc::now(),
        read_targets: true,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(audit(options, Arc::new(FileTransport), &Silent))
        .unwrap()
}

#[test]
fn tough_agrees_about_hash_prefix_bins() {
    for keys in [KeyType::Ed25519, KeyType::EcdsaP256] {
        let made = Made {
            keys,
            ..Made::small(Encoding::PathHashPrefixes)
        };
        let report = audited(made, |_| {});
        assert!(report.is_clean(), "{report:?}");
        let SecondOpinion::Agrees { roles, targets, .. } = report.second_opinion else {
            panic!("{:?}", report.second_opinion)
        };
        // Root, timestamp, snapshot, targets, bins, 16 bins; three pages, three files, two metadata.
        assert_eq!((roles, targets), (21, 8));
    }
}

#[test]
fn tough_cannot_say_anything_of_succinct_bins() {
    let report = audited(Made::small(Encoding::Succinct), |_| {});
    assert!(report.findings.is_empty(), "{report:?}");
    let opinion = report.second_opinion;
    assert!(
        matches!(
            opinion,
            SecondOpinion::NotAvailable(Why::SuccinctRoles { .. })
        ),
        "{opinion:?}"
    );
}

/// The control: what is wrong is found.
#[test]
fn an_altered_file_is_found() {
    let report = audited(Made::small(Encoding::PathHashPrefixes), |index| {
        let altered = index.tamper("targets/packages/", |mut bytes| {
            bytes.push(0);
            bytes
        });
        assert!(altered > 0);
    });
    assert!(!report.findings.is_empty());
}
