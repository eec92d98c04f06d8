//! The network dies at every write of a publication, in two ways, and the signer starts again: nothing is
//! lost, no object has two bodies, a client that polls never sees a step back.

use countersign_tests::environment::samples;
use countersign_tests::faults::{Fault, Faults, ask};
use countersign_tests::poller::Poller;
use countersign_tests::postgres::PostgresServer;
use countersign_tests::s3::{BUCKET, S3, quick};
use repository::Store;
use store_bucket::Bucket;

use crate::stage::{FIRST, Origin};

/// Lets so many writes through, fails one so, and then nothing goes through any more.
fn fuse(writes: usize, fault: Fault) -> impl FnMut(&countersign_tests::faults::Asked) -> Fault {
    let mut done = 0;
    move |asked| {
        if done > writes {
            return Fault::Lost;
        }
        if !asked.is_write() {
            return Fault::None;
        }
        done += 1;
        if done > writes { fault } else { Fault::None }
    }
}

/// Dies and starts again; says whether it died.
fn die_and_recover(
    s3: &S3,
    (origin, server): (&Origin, Option<&PostgresServer>),
    writes: usize,
    fault: Fault,
    at_once: u32,
) -> bool {
    let context = format!("{writes} writes, {at_once} at once, {fault:?}");
    let prefix = format!("crash-{writes}-{at_once}-{fault:?}").to_lowercase();
    let mut index = origin.index_with(s3, &prefix, server);
    let before = index.look(&context);
    let poller = Poller::start(&s3.url(&prefix), index.root(), FIRST);
    let faults = Faults::before(s3.port(), fuse(writes, fault));
    let mut limits = quick();
    limits.puts_at_once = at_once;
    let store = Bucket::open(S3::place(&prefix), &s3.endpoint(faults.port()), limits).unwrap();
    let mut repository = index.open(Box::new(store));
    let died = index.tick(&mut repository).is_err();
    drop(repository);
    let after = index.look(&context);
    let all = samples().len() + 1;
    assert!(
        after == before || after.files.len() == all,
        "a mixture: {context}"
    );
    let mut repository = index.open(Box::new(s3.store(&prefix)));
    index
        .tick(&mut repository)
        .unwrap_or_else(|error| panic!("{error:?}: {context}"));
    assert_eq!(index.look(&context).files.len(), all, "{context}");
    let status = repository.status(chrono::Utc::now()).unwrap();
    assert_eq!((status.pending, status.unfinished), (0, false), "{context}");
    assert!(poller.end() > 0);
    died
}

#[test]
fn the_network_may_die_at_any_write_of_a_publication() {
    let s3 = S3::start();
    let origin = Origin::new();
    let is_long = std::env::var_os("COUNTERSIGN_LONG_ROUNDS").is_some();
    let step = if is_long { 1 } else { 6 };
    for (fault, offset) in [(Fault::Lost, 0), (Fault::Unanswered, 3)] {
        let mut writes = if is_long { 0 } else { offset };
        // One at a time, so that each number of writes is one moment.
        while die_and_recover(&s3, (&origin, None), writes, fault, 1) {
            writes += step;
        }
        assert!(
            writes > 25,
            "a publication of three files has {writes} writes"
        );
        // And as it is used: what has got there by then is up to the network.
        for writes in [5, 15] {
            die_and_recover(&s3, (&origin, None), writes, fault, 32);
        }
    }
}

/// The same where the state is on another machine as well.
#[test]
fn the_network_may_die_where_the_state_is_in_postgresql() {
    let s3 = S3::start();
    let server = PostgresServer::start();
    let origin = Origin::new();
    let is_long = std::env::var_os("COUNTERSIGN_LONG_ROUNDS").is_some();
    for (fault, offset) in [(Fault::Lost, 4), (Fault::Unanswered, 9)] {
        let mut writes = if is_long { 0 } else { offset };
        while die_and_recover(&s3, (&origin, Some(&server)), writes, fault, 1) {
            writes += if is_long { 1 } else { 13 };
        }
        assert!(writes > 25, "it died {writes} writes in at the last");
    }
}

/// The bucket is not trusted: what somebody has put where an unfinished publication belongs is never
/// published. The versions are given up, and the changes come with the next ones.
#[test]
fn what_stands_in_the_way_of_a_recovery_is_never_published() {
    let s3 = S3::start();
    let origin = Origin::new();
    let mut index = origin.index(&s3, "way");
    index.look("before");
    let faults = Faults::before(s3.port(), fuse(18, Fault::Lost));
    let mut limits = quick();
    limits.puts_at_once = 1;
    let store = Bucket::open(S3::place("way"), &s3.endpoint(faults.port()), limits).unwrap();
    let before = s3.store("way").list().unwrap();
    let mut repository = index.open(Box::new(store));
    index.tick(&mut repository).unwrap_err();
    drop(repository);
    let put = s3.store("way").list().unwrap();
    let new = put.iter().filter(|path| !before.contains(path));
    let altered: Vec<_> = new.filter(|path| path.is_metadata()).collect();
    assert!(!altered.is_empty(), "{put:?}");
    for path in &altered {
        let at = format!("/{BUCKET}/way/{path}");
        let answer = ask(s3.port(), "PUT", &at, b"{\"other\":1}");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let mut repository = index.open(Box::new(s3.store("way")));
    let report = index.tick(&mut repository).unwrap();
    assert!(
        report.burned_earlier && report.blocked.is_some(),
        "{report:?}"
    );
    assert_eq!(index.look("after").files.len(), samples().len() + 1);
}
