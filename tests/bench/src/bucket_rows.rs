//! What a publication costs where the store is in a bucket: requests, bytes and time, against an S3 server
//! by others on this machine.

use std::sync::Arc;
use std::time::Instant;

use chrono::{TimeDelta, Utc};
use countersign_tests::faults::{Fault, Faults};
use countersign_tests::published::{Made, PublishedIndex};
use countersign_tests::s3::S3;
use keys::{FileKey, KeyType, Signer};
use policy::{Encoding, StoreLimits};
use repository::{OnlineSigners, Parts, Repository, RepositoryError, TickOptions};
use ring::rand::SystemRandom;
use store_bucket::Bucket;

use crate::tick_rows::enqueue;

/// Bins of a small index at its usual size.
const BINS: u64 = 1_024;

/// Publishes a release of three files, then 1,000 files; prints what each came to.
pub(crate) fn publications() {
    let s3 = S3::start();
    let home = tempfile::tempdir().unwrap();
    let key = FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap();
    let online: Arc<dyn Signer> = Arc::new(key);
    let now = Utc::now();
    let made = Made {
        bins: (BINS, Encoding::PathHashPrefixes),
        keys: KeyType::Ed25519,
        now,
    };
    let mut index = PublishedIndex::make_with(home.path(), made, &[], Arc::clone(&online));
    let faults = Faults::before(s3.port(), |_| Fault::None);
    let store = || {
        let endpoint = s3.endpoint(faults.port());
        Bucket::open(S3::place("bench"), &endpoint, StoreLimits::default()).unwrap()
    };
    let moved = index
        .repository()
        .move_to(
            &mut store(),
            now,
            |_| Ok::<(), RepositoryError>(()),
            || Ok(()),
        )
        .unwrap();
    println!("moved: {} objects, {} bytes", moved.objects, moved.bytes);
    drop(index);
    let folder = home.path().join("index");
    let signers = OnlineSigners::new(vec![online]);
    for (files, first) in [(3, 0), (1_000, 3)] {
        enqueue(&folder, first, files, now);
        let parts = Parts {
            store: Box::new(store()),
            ..Parts::of_folder(&folder).unwrap()
        };
        let mut repository = Repository::assemble(parts).unwrap();
        drop(faults.seen());
        let begin = Instant::now();
        let at = now + TimeDelta::seconds(1);
        repository
            .tick(&signers, at, TickOptions { at_once: true })
            .unwrap();
        let took = begin.elapsed();
        let seen = faults.seen();
        let of = |method: &str| seen.iter().filter(|asked| asked.method == method).count();
        let copies = seen
            .iter()
            .filter(|asked| asked.header("x-amz-copy-source").is_some())
            .count();
        let bytes: usize = seen
            .iter()
            .filter(|asked| asked.is_write())
            .map(|asked| asked.length)
            .sum();
        println!(
            "{files} files: {} puts ({copies} of them copies), {} gets, {} heads, {bytes} bytes put, {took:.1?}",
            of("PUT"),
            of("GET"),
            of("HEAD"),
        );
    }
}
