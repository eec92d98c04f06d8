//! A client that polls throughout: it updates again and again over HTTP and reads a file, and never meets
//! a step back or anything that does not verify.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use chrono::Utc;
use client::{Datastore, HttpTransport, Pace, Updater, UpdaterConfig};
use index::{DistributionFilename, file_path};
use url::Url;

/// A client at work in a thread of its own.
pub struct Poller {
    ended: Arc<AtomicBool>,
    base: Arc<Mutex<String>>,
    thread: JoinHandle<Result<u64, String>>,
}

impl Poller {
    /// Starts one that reads below `base` and trusts `root`; `file` is on the index all the time.
    #[must_use]
    pub fn start(base: &str, root: &Path, file: &str) -> Self {
        let base = Arc::new(Mutex::new(base.to_owned()));
        let led = Arc::clone(&base);
        let home = tempfile::tempdir().unwrap();
        let trusted = home.path().join("trusted");
        std::fs::create_dir(&trusted).unwrap();
        std::fs::copy(root, trusted.join("root.json")).unwrap();
        let path = file_path(&DistributionFilename::parse(file).unwrap());
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let poll = async move {
            // Its folder lives as long as it polls.
            let home = home;
            let http = Arc::new(HttpTransport::new(Pace::default()).unwrap());
            let mut polls = 0;
            loop {
                let is_last = stop.load(Ordering::SeqCst);
                let datastore =
                    Datastore::open(home.path().join("trusted")).map_err(|error| text(&error))?;
                let http = Arc::clone(&http);
                let base = led.lock().unwrap().clone();
                let url = |folder| Url::parse(&format!("{base}{folder}/")).unwrap();
                let config = UpdaterConfig::new(url("metadata"), url("targets"));
                let updater =
                    Updater::new(config, datastore, http).map_err(|error| text(&error))?;
                let session = updater
                    .refresh(Utc::now())
                    .await
                    .map_err(|error| text(&error))?;
                let target = client::found(&path, session.find(&path).await)
                    .map_err(|error| text(&error))?;
                session
                    .read(&target.into())
                    .await
                    .map_err(|error| text(&error))?;
                polls += 1;
                if is_last {
                    return Ok(polls);
                }
            }
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            { runtime }.enable_all().build().unwrap().block_on(poll)
        });
        Self {
            ended,
            base,
            thread,
        }
    }

    /// Reads elsewhere from the next update on, as when a name is led to another server.
    ///
    /// # Panics
    ///
    /// If it has ended with what it met.
    pub fn lead_to(&self, base: &str) {
        base.clone_into(&mut self.base.lock().unwrap());
    }

    /// Ends it after one more update; says how often it updated.
    ///
    /// # Panics
    ///
    /// If an update or the file was refused.
    #[must_use]
    pub fn end(self) -> u64 {
        self.ended.store(true, Ordering::SeqCst);
        match self.thread.join().unwrap() {
            Ok(polls) => polls,
            Err(wrong) => panic!("a client that polled met: {wrong}"),
        }
    }
}

fn text(error: &client::ClientError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
