//! Two signers of one index, the store in a bucket. One of them sleeps at any request of its cycle; the
//! other takes its place, finishes its work, publishes more; then the first wakes. The timestamp never goes
//! back: with the state in PostgreSQL, where the lease is the other's by then, and with one in a folder,
//! where no lock stops it here, but the store and the head alone.

use std::sync::{Arc, Mutex};

use countersign_tests::environment::samples;
use countersign_tests::faults::{Fault, Faults};
use countersign_tests::poller::Poller;
use countersign_tests::postgres::PostgresServer;
use countersign_tests::s3::S3;

use crate::stage::{FIRST, Origin};

/// Sleeps at a request; says whether there was one of this number.
fn sleep_and_wake(
    s3: &S3,
    origin: &Origin,
    server: Option<&PostgresServer>,
    request: usize,
) -> bool {
    let context = format!("request {request}");
    let prefix = format!("rivals-{request}");
    let mut index = origin.index_with(s3, &prefix, server);
    index.look(&context);
    let more = index.wheel();
    let poller = Poller::start(&s3.url(&prefix), index.root(), FIRST);
    let faults = Faults::before(s3.port(), |_| Fault::None);
    let mut sleeper = index.open_unguarded(Box::new(s3.store_behind(&faults, &prefix)));
    let mut rival = index.open_unguarded(Box::new(s3.store(&prefix)));
    let outcome = Arc::new(Mutex::new(None));
    let asleep = std::thread::scope(|threads| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (wake, waiting) = std::sync::mpsc::channel();
        let mut seen = 0;
        faults.plan(move |_| {
            seen += 1;
            if seen == request + 1 {
                sender.send(()).unwrap();
                waiting.recv().unwrap();
            }
            Fault::None
        });
        let (index, rival, outcome) = (&index, &mut rival, Arc::clone(&outcome));
        let rivalry = threads.spawn(move || {
            if receiver.recv().is_err() {
                return None;
            }
            rival.add_files(&[more], chrono::Utc::now()).unwrap();
            index.end_lease();
            index.tick(rival).unwrap();
            // Once more, so that it is two ahead.
            index.tick(rival).unwrap();
            let timestamp = index.timestamp();
            wake.send(()).unwrap();
            Some(timestamp)
        });
        *outcome.lock().unwrap() = Some(index.tick(&mut sleeper));
        faults.plan(|_| Fault::None);
        rivalry.join().unwrap()
    });
    let Some((version, bytes)) = asleep else {
        assert!(poller.end() > 0);
        return false;
    };
    if let (Some(_), Some(Err(error))) = (server, &*outcome.lock().unwrap()) {
        assert!(error.is_busy(), "{error}: {context}");
    }
    let (now, now_bytes) = index.timestamp();
    assert!(now >= version, "from v{version} back to v{now}: {context}");
    assert!(
        now > version || now_bytes == bytes,
        "v{now} has two bodies: {context}"
    );
    let listed = index.look(&context);
    assert_eq!(
        listed.files.len(),
        samples().len() + 2,
        "{context}: {:?}",
        outcome.lock().unwrap()
    );
    index.tick(&mut rival).unwrap();
    index.look(&context);
    assert!(poller.end() > 0);
    true
}

#[test]
fn a_signer_that_wakes_behind_another_puts_nothing_back() {
    let s3 = S3::start();
    let origin = Origin::new();
    let is_long = std::env::var_os("COUNTERSIGN_LONG_ROUNDS").is_some();
    let mut request = 0;
    while sleep_and_wake(&s3, &origin, None, request) {
        request += if is_long { 1 } else { 5 };
    }
    assert!(request > 30, "a cycle has {request} requests");
}

#[test]
fn a_signer_whose_lease_went_to_another_publishes_nothing_in_a_bucket() {
    let s3 = S3::start();
    let server = PostgresServer::start();
    let origin = Origin::new();
    let is_long = std::env::var_os("COUNTERSIGN_LONG_ROUNDS").is_some();
    let mut request = 0;
    while sleep_and_wake(&s3, &origin, Some(&server), request) {
        request += if is_long { 1 } else { 8 };
    }
    assert!(request > 30, "a cycle has {request} requests");
}
