//! A machine with the timestamp key alone keeps the timestamp of a bucket fresh.

use chrono::{DateTime, Utc};
use countersign_tests::poller::Poller;
use countersign_tests::s3::S3;
use repository::{RepositoryError, TimestampOnly, TimestampReport};

use crate::stage::{FIRST, Index, Origin};

fn tick(
    s3: &S3,
    index: &Index<'_>,
    floor: &std::path::Path,
    now: DateTime<Utc>,
) -> Result<TimestampReport, RepositoryError> {
    let root = std::fs::read(index.root()).unwrap();
    TimestampOnly {
        store: &mut s3.store(&index.prefix),
        root: &root,
        floor,
        policy: &index.policy(),
    }
    .tick(&index.signers(), now)
}

#[test]
fn the_timestamp_in_a_bucket_is_renewed_when_due() {
    let s3 = S3::start();
    let origin = Origin::new();
    let index = origin.index(&s3, "renewed");
    let home = tempfile::tempdir().unwrap();
    let floor = home.path().join("floor.json");
    let poller = Poller::start(&s3.url("renewed"), index.root(), FIRST);
    let (first, _) = index.timestamp();
    let fresh = tick(&s3, &index, &floor, Utc::now()).unwrap();
    assert_eq!((fresh.signed, index.timestamp().0), (None, first));
    let due = Utc::now() + index.policy().roles.timestamp.lifetime / 2;
    let renewed = tick(&s3, &index, &floor, due).unwrap();
    let version = renewed.signed.map(metadata::Version::get);
    assert_eq!((version, index.timestamp().0), (Some(first + 1), first + 1));
    // The signer goes on from there, and what waits is published above it.
    let mut repository = index.open(Box::new(s3.store("renewed")));
    index.tick(&mut repository).unwrap();
    assert!(index.timestamp().0 > first + 1);
    assert!(poller.end() > 0);
}
