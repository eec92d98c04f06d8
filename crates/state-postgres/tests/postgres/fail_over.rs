//! The database's server dies, and another that followed it takes its place.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use countersign_repository::{LocalStore, Parts, Repository, Settings, TickOptions, UploadFolder};
use countersign_state_postgres::{Address, PostgresState};
use index::Yanked;

use crate::server::{PASSWORD, PostgresServer, USER};
use crate::support::{Ceremony, POLICY, samples, start};

/// What is acknowledged at the one server is there at the other, the writer stays the writer, and nobody else
/// becomes it.
#[test]
fn a_fail_over_loses_nothing_and_gives_the_lease_to_nobody() {
    let [first, second] = PostgresServer::start_pair();
    let _ = first.database("index");
    let (one, other) = (first.port(), second.port());
    let url = format!("postgres://{USER}@127.0.0.1:{one},127.0.0.1:{other}/index");
    let address = Address::new(&url, None, Some(PASSWORD.as_bytes())).unwrap();
    let settings = Settings::from_policy(&POLICY).unwrap();
    PostgresState::create(address.clone(), settings.policy.state, &settings).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let parts = || {
        let state = PostgresState::open(address.clone()).unwrap();
        Parts {
            lock: Box::new(state.lease()),
            state: Box::new(state),
            store: Box::new(LocalStore::open_shared(folder.path().join(Parts::STORE)).unwrap()),
            uploads: Box::new(UploadFolder::open(folder.path().join(Parts::UPLOADS)).unwrap()),
        }
    };
    let ceremony = Ceremony::new();
    let online = ceremony.online();
    let at_once = TickOptions { at_once: true };
    let mut index = Repository::assemble(parts()).unwrap();
    index
        .apply_set(&ceremony.genesis(folder.path(), start()), start())
        .unwrap();
    index.add_files(&samples(), start()).unwrap();
    index.tick(&online, start(), at_once).unwrap();

    let writer = parts();
    let held = writer.lock.acquire().unwrap();
    let name = samples()[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let (acknowledged, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut intake = Repository::assemble(parts()).unwrap();
            // One more after the fail-over, at the least.
            let mut after = 0;
            while after < 2 {
                after += u64::from(is_over.load(Ordering::SeqCst));
                let number = acknowledged.load(Ordering::SeqCst);
                let reason = Yanked::Because(number.to_string());
                intake
                    .yank_files(std::slice::from_ref(&name), &reason, start())
                    .unwrap();
                acknowledged.store(number + 1, Ordering::SeqCst);
            }
        });
        while acknowledged.load(Ordering::SeqCst) < 20 {
            std::thread::yield_now();
        }
        first.end();
        second.promote();
        // It follows nobody, and nobody follows it.
        is_over.store(true, Ordering::SeqCst);
    });
    // Each once, in order, none lost.
    let queued = writer.state.pending().unwrap();
    assert_eq!(queued.len() as u64, acknowledged.load(Ordering::SeqCst));
    let ids: Vec<i64> = queued.iter().map(|queued| queued.id.0).collect();
    assert!(ids.is_sorted());
    writer.state.check_writer().unwrap();
    let refused = parts().lock.acquire().err().unwrap();
    assert!(refused.is_busy(), "{refused}");
    drop(held);
    index.tick(&online, start(), at_once).unwrap();
    assert_eq!(index.waiting().unwrap(), 0);
}
