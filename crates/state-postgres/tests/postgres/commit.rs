//! The answer to a commit is lost: it is looked up whether it happened.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use countersign_repository::{Parts, Settings, Staged, State, WriterLock};
use countersign_state_postgres::{Address, PostgresState};

use crate::server::PASSWORD;
use crate::site::{PostgresSite, database};
use crate::support::{POLICY, Site, start};

/// What becomes of the next commit.
const PASS: usize = 0;
/// It reaches the server; the answer does not come back.
const ANSWER_LOST: usize = 1;
/// It does not reach the server.
const LOST: usize = 2;

/// A way to the server that breaks at a commit when told to.
struct Way {
    port: u16,
    next: Arc<AtomicUsize>,
}

impl Way {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::new(AtomicUsize::new(PASS));
        let way = Self {
            port,
            next: Arc::clone(&next),
        };
        thread::spawn(move || {
            for client in listener.incoming() {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).unwrap();
                carry(client.unwrap(), server, Arc::clone(&next));
            }
        });
        way
    }

    fn break_next_commit(&self, how: usize) {
        self.next.store(how, Ordering::SeqCst);
    }

    fn broke(&self) -> bool {
        self.next.load(Ordering::SeqCst) == PASS
    }
}

fn carry(client: TcpStream, server: TcpStream, next: Arc<AtomicUsize>) {
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let (mut client, mut server) = (client, server);
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = client.read(&mut buffer) {
            let is_commit = buffer[..read].windows(6).any(|word| word == b"COMMIT");
            let how = if is_commit {
                next.swap(PASS, Ordering::SeqCst)
            } else {
                PASS
            };
            if how != PASS {
                // Gone for the client before the server hears of it.
                let _ = client.shutdown(Shutdown::Both);
            }
            if how == LOST || server.write_all(&buffer[..read]).is_err() {
                break;
            }
            if how == ANSWER_LOST {
                // The server reads what was sent, then the end.
                let _ = server.shutdown(Shutdown::Write);
                return;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    });
}

#[test]
fn a_commit_without_an_answer_counts_once() {
    let site = PostgresSite::start();
    let folder = tempfile::tempdir().unwrap();
    site.init(folder.path(), &Settings::from_policy(&POLICY).unwrap());
    let way = Way::to(site.server().port());
    let url = format!(
        "postgres://{}@127.0.0.1:{}/{}",
        crate::server::USER,
        way.port,
        database(folder.path())
    );
    let address = Address::new(&url, None, Some(PASSWORD.as_bytes())).unwrap();
    let mut state = PostgresState::open(address).unwrap();
    let lease = state.lease();
    let Parts { state: direct, .. } = site.parts(folder.path());
    for (round, how) in [ANSWER_LOST, LOST].into_iter().enumerate() {
        way.break_next_commit(how);
        let held = lease.acquire().unwrap();
        assert!(way.broke());
        way.break_next_commit(how);
        let id = state.enqueue_set(&[], &[], start()).unwrap();
        assert!(way.broke());
        let waiting = direct.waiting_sets().unwrap();
        assert_eq!(waiting.len(), round + 1, "one set for each call");
        assert_eq!(waiting[round].id, id);
        // Twice would be refused: there can be one such row.
        way.break_next_commit(how);
        let base = direct.head().unwrap().generation;
        let staged = Staged {
            base,
            ..Staged::default()
        };
        state.stage(&staged).unwrap();
        assert!(way.broke());
        way.break_next_commit(how);
        state.move_head(&staged).unwrap();
        assert!(way.broke());
        assert_eq!(direct.head().unwrap().generation, base + 1);
        way.break_next_commit(how);
        state.clear_staged().unwrap();
        assert!(way.broke());
        assert!(direct.staged().unwrap().is_none());
        drop(held);
    }
}
