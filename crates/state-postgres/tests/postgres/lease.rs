//! One writer by lease.

use std::time::{Duration, Instant};

use countersign_repository::{Parts, RepositoryError, Settings, Staged, State, WriterLock};
use countersign_state_postgres::PostgresState;
use policy::StateLimits;

use crate::site::PostgresSite;
use crate::support::{POLICY, Site, start};

fn made(site: &PostgresSite, folder: &std::path::Path) -> Parts {
    site.init(folder, &Settings::from_policy(&POLICY).unwrap());
    site.parts(folder)
}

#[test]
fn one_of_two_has_the_lease_and_the_other_is_told_who() {
    let site = PostgresSite::start();
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (made(&site, folder.path()), site.parts(folder.path()));
    let held = one.lock.acquire().unwrap();
    one.state.check_writer().unwrap();
    let Err(refused) = other.lock.acquire() else {
        panic!("two have the lease");
    };
    let RepositoryError::Leased { holder, .. } = &refused else {
        panic!("{refused}");
    };
    assert!(refused.is_busy());
    assert!(
        holder.contains(&format!("process {}", std::process::id())),
        "{holder}"
    );
    assert!(matches!(
        other.state.check_writer(),
        Err(RepositoryError::NotTheWriter)
    ));
    drop(held);
    let held = other.lock.acquire().unwrap();
    assert!(matches!(
        one.state.check_writer(),
        Err(RepositoryError::NotTheWriter)
    ));
    drop(held);
}

/// As an intake drops it when it stops.
#[test]
fn a_state_may_be_dropped_where_a_runtime_is_at_work() {
    let site = PostgresSite::start();
    let folder = tempfile::tempdir().unwrap();
    let parts = made(&site, folder.path());
    // Connected, as one that has been asked.
    parts.state.check_place().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async move { drop(parts) });
    drop(site.parts(folder.path()).lock.acquire().unwrap());
}

/// Every method of a cycle is refused to a writer whose lease went to another, and changes nothing.
#[test]
fn a_writer_of_before_writes_nothing() {
    let site = PostgresSite::start();
    let folder = tempfile::tempdir().unwrap();
    let mut one = made(&site, folder.path());
    let _held = one.lock.acquire().unwrap();
    let mut client = site.client(folder.path());
    client
        .batch_execute("UPDATE lease SET until = clock_timestamp() - interval '1 second'")
        .unwrap();
    // Run out, but nobody else's: it is the writer still.
    one.state.check_writer().unwrap();
    let other = site.parts(folder.path());
    let _taken = other.lock.acquire().unwrap();
    let (versions, staged) = (std::collections::BTreeMap::new(), Staged::default());
    let state = &mut one.state;
    let refusals = [
        state.check_writer(),
        state.settle(&[], &[]),
        state.drop_set(1),
        state.stage(&staged),
        state.move_head(&staged),
        state.clear_staged(),
        state.give_up(&versions, Some(start())),
        state.forget(&[], start()),
    ];
    for refused in refusals {
        let Err(refused) = refused else {
            panic!("a writer of before wrote");
        };
        let RepositoryError::LeaseLost { number: 1, holder } = &refused else {
            panic!("{refused}");
        };
        assert!(refused.is_busy() && holder.contains("lease 2"), "{holder}");
    }
    assert!(other.state.staged().unwrap().is_none());
    assert_eq!(other.state.head().unwrap().generation, 0);
    // Intake is anybody's.
    one.state.enqueue_set(&[], &[], start()).unwrap();
}

#[test]
fn a_lease_is_renewed_for_as_long_as_it_is_held() {
    let site = PostgresSite::start();
    let folder = tempfile::tempdir().unwrap();
    let short = POLICY.replace("lease = \"30s\"", "lease = \"1s\"");
    let settings = Settings::from_policy(&short).unwrap();
    let lease = Duration::from_secs(1);
    assert_eq!(
        settings.policy.state,
        StateLimits {
            lease,
            ..StateLimits::default()
        }
    );
    site.init(folder.path(), &settings);
    let state = PostgresState::open(site.address(folder.path())).unwrap();
    let held = state.lease().acquire().unwrap();
    let other = site.parts(folder.path());
    let since = Instant::now();
    while since.elapsed() < lease * 3 {
        assert!(other.lock.acquire().is_err(), "after {:?}", since.elapsed());
        std::thread::sleep(lease / 4);
    }
    state.check_writer().unwrap();
    drop(held);
    drop(other.lock.acquire().unwrap());
}

/// A process that dies in the middle keeps nobody out longer than its lease, nor does one that sleeps in
/// the middle of a transaction: the server ends it.
#[test]
fn a_transaction_that_is_slept_over_is_ended() {
    let site = PostgresSite::start();
    let folder = tempfile::tempdir().unwrap();
    let short = POLICY.replace("lease = \"30s\"", "lease = \"1s\"");
    site.init(folder.path(), &Settings::from_policy(&short).unwrap());
    let mut sleeper = site.client(folder.path());
    // What a writer's connection is told when it is made, and then the beginning of its transaction.
    sleeper
        .batch_execute(
            "SET idle_in_transaction_session_timeout = 1000;
             UPDATE lease SET number = 7, holder = 'sleeper', until = clock_timestamp();
             BEGIN; SELECT number FROM lease FOR SHARE",
        )
        .unwrap();
    let other = site.parts(folder.path());
    let since = Instant::now();
    let held = loop {
        match other.lock.acquire() {
            Ok(held) => break held,
            Err(error) => assert!(error.is_busy(), "{error}"),
        }
        assert!(
            since.elapsed() < Duration::from_secs(30),
            "it keeps others out"
        );
    };
    other.state.check_writer().unwrap();
    drop(held);
}
