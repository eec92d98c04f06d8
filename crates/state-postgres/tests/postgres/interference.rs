//! What machines do to each other at every write of a publication: the server restarts, connections break,
//! another takes the lease. Nothing is lost, no object has two bodies, and no client sees a step back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use chrono::{DateTime, Utc};
use countersign_repository::{Repository, RepositoryError, TickOptions};
use metadata::{Document, Timestamp, Wire};

use crate::site::{PostgresSite, database};
use crate::support::checker::Checker;
use crate::support::crash_matrix::{Work, prepare};
use crate::support::fuse::{Fuse, failing_parts};
use crate::support::{Ceremony, Reader, Site, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

/// Reads `timestamp.json` over and over; panics if its version ever goes back.
struct Poller {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Poller {
    fn start(folder: &Path) -> Self {
        let path = folder.join("repository/metadata/timestamp.json");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut last = 0;
            loop {
                let is_last = stopped.load(Ordering::SeqCst);
                let file = std::fs::read(&path).unwrap();
                let wire = Wire::parse(&file, 10).unwrap();
                let version = Timestamp::parse(wire.signed).unwrap().version.get();
                assert!(version >= last, "went back from {last} to {version}");
                last = version;
                if is_last {
                    return last;
                }
                thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// The last version seen.
    fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

/// An index with files waiting.
struct Scene {
    site: PostgresSite,
    folder: tempfile::TempDir,
    ceremony: Ceremony,
    now: DateTime<Utc>,
    checker: Checker,
}

impl Scene {
    fn new(site: &PostgresSite) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ceremony = Ceremony::new();
        let (now, _) = prepare(site, folder.path(), &mut ceremony, Work::Files);
        let mut checker = Checker::new(&folder.path().join("repository"));
        checker.look(now).unwrap();
        Self {
            site: site.clone(),
            folder,
            ceremony,
            now,
            checker,
        }
    }

    fn interfered(&self, fuse: &Fuse) -> Repository {
        failing_parts(self.site.parts(self.folder.path()), fuse)
    }

    /// Whole, as one who never heard of this index and one who has been here before see it.
    fn judge(&mut self, context: &str) {
        let looked = self.checker.look(self.now);
        let listed = looked.unwrap_or_else(|wrong| panic!("{wrong}: {context}"));
        assert_eq!(listed.files.len(), samples().len(), "{context}");
        let index = self.site.repository(self.folder.path());
        let status = index.status(self.now).unwrap();
        assert_eq!((status.pending, status.unfinished), (0, false), "{context}");
        Reader::of(&index, &self.ceremony, self.now);
    }
}

/// Does `harm` before each `step`th write of a publication, which survives it. Says how many writes there are.
fn survive(step: usize, harm: impl Fn(&PostgresSite, &str) + Clone + Send + 'static) -> usize {
    let site = PostgresSite::start();
    for writes in (0..).step_by(step) {
        let mut scene = Scene::new(&site);
        let (at, name, harm) = (site.clone(), database(scene.folder.path()), harm.clone());
        let fuse = Fuse::acting(writes, move || harm(&at, &name));
        let mut index = scene.interfered(&fuse);
        let poller = Poller::start(scene.folder.path());
        let done = index.tick(&scene.ceremony.online(), scene.now, AT_ONCE);
        let context = format!("before write {writes}");
        let report = done.unwrap_or_else(|error| panic!("{error:?}: {context}"));
        assert_eq!(report.outcomes.len(), samples().len(), "{context}");
        assert_eq!(poller.stop(), 2, "{context}");
        drop(index);
        scene.judge(&context);
        if !fuse.acted() {
            return writes;
        }
    }
    unreachable!("a publication has an end")
}

#[test]
fn a_connection_may_break_at_every_write() {
    let writes = survive(1, |site, database| {
        site.server().break_connections(database);
    });
    assert!(writes > 20, "{writes}");
}

#[test]
fn the_server_may_restart_at_every_fourth_write() {
    let writes = survive(4, |site, _| site.server().restart());
    assert!(writes > 20, "{writes}");
}

/// At every write the lease runs out and another signer takes it and works. One of the two publishes; the
/// first ends as busy, unless it was done but for its last word.
#[test]
fn the_lease_may_be_stolen_at_every_write() {
    let site = PostgresSite::start();
    let (mut lost, mut held) = (0, 0);
    for writes in 0.. {
        let mut scene = Scene::new(&site);
        let (at, folder) = (site.clone(), scene.folder.path().to_owned());
        let (signers, now) = (scene.ceremony.online(), scene.now);
        let fuse = Fuse::acting(writes, move || {
            at.client(&folder)
                .batch_execute("UPDATE lease SET until = clock_timestamp() - interval '1 second'")
                .unwrap();
            match at.repository(&folder).tick(&signers, now, AT_ONCE) {
                Ok(_) => {}
                // The first is putting pointers: nobody else may.
                Err(error) => assert!(error.is_busy(), "{error}"),
            }
        });
        let poller = Poller::start(scene.folder.path());
        let mut index = scene.interfered(&fuse);
        let done = index.tick(&scene.ceremony.online(), scene.now, AT_ONCE);
        drop(index);
        let context = format!("stolen before write {writes}");
        if !fuse.acted() {
            assert!(done.is_ok());
            poller.stop();
            break;
        }
        match done {
            Err(error @ RepositoryError::LeaseLost { .. }) => {
                assert!(error.is_busy());
                lost += 1;
            }
            Err(error) => panic!("{error:?}: {context}"),
            Ok(_) => held += 1,
        }
        // Whoever comes next finishes what is left, without hands.
        let mut index = scene.site.repository(scene.folder.path());
        index
            .tick(&scene.ceremony.online(), start(), AT_ONCE)
            .unwrap();
        drop(index);
        assert!(poller.stop() >= 2, "{context}");
        scene.judge(&context);
    }
    assert!(lost > 20, "a thief at {lost} writes was noticed");
    assert_eq!(
        held, 0,
        "every cycle ends with a write that asks for the lease"
    );
}

/// Two signers whose clocks differ by a minute and a half, either way, and the one takes the lease from the
/// other: nothing is lost, no version goes back, and the one behind says that its clock is.
#[test]
fn clocks_of_signers_may_differ() {
    let site = PostgresSite::start();
    let mut behind = 0;
    for (writes, seconds) in (0..21)
        .step_by(6)
        .flat_map(|writes| [(writes, 90), (writes, -90)])
    {
        let context = format!("{seconds} s, stolen before write {writes}");
        let skew = chrono::TimeDelta::seconds(seconds);
        let mut scene = Scene::new(&site);
        let (at, folder) = (site.clone(), scene.folder.path().to_owned());
        let (signers, theirs) = (scene.ceremony.online(), scene.now + skew);
        let fuse = Fuse::acting(writes, move || {
            at.client(&folder)
                .batch_execute("UPDATE lease SET until = clock_timestamp() - interval '1 second'")
                .unwrap();
            match at.repository(&folder).tick(&signers, theirs, AT_ONCE) {
                Ok(_) => {}
                Err(RepositoryError::ClockBehind { now, last }) => assert!(now < last),
                Err(error) => assert!(error.is_busy(), "{error}"),
            }
        });
        let poller = Poller::start(scene.folder.path());
        let mut index = scene.interfered(&fuse);
        let online = scene.ceremony.online();
        let done = index.tick(&online, scene.now, AT_ONCE);
        drop(index);
        assert!(fuse.acted() && done.is_err(), "{context}");
        // Whichever of both comes next finishes it; the one behind waits until its clock has come so far.
        let mut index = scene.site.repository(scene.folder.path());
        if let Err(error) = index.tick(&online, scene.now, AT_ONCE) {
            let is_clock = matches!(error, RepositoryError::ClockBehind { .. });
            assert!(is_clock && seconds > 0, "{error:?}: {context}");
            behind += 1;
            scene.now += skew;
            index.tick(&online, scene.now, AT_ONCE).unwrap();
        }
        drop(index);
        assert!(poller.stop() >= 2, "{context}");
        scene.judge(&context);
    }
    assert!(behind > 0, "no clock was ever behind");
}
