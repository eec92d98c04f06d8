//! The same attempts against somebody who installs with pip: the proxy that is shipped stands between, and is
//! asked as pip asks, for the page of the project and for what stands on it. Everything pip is ever shown
//! comes this way, so what is not shown here cannot be installed. That the real pip and uv see no more is in
//! `installers.rs`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use client::{Datastore, Updater, UpdaterConfig, init};
use countersign_tests::{Simulator, files, role};
use proxy::{ProxyConfig, ProxyState, SharedState, serve};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::attacker::Publication;
use crate::layouts::{EVIL, Goal, project_of};
use crate::rows::Row;
use crate::strategies::{Attempt, attempts, keep_alive, mixed};

/// A proxy that trusts the first root of a repository, and whoever asks it.
struct Installer {
    address: SocketAddr,
    state: SharedState,
    now: Arc<Mutex<DateTime<Utc>>>,
    running: JoinHandle<()>,
    _home: TempDir,
}

impl Installer {
    async fn of(repository: &Simulator) -> Self {
        let home = tempfile::tempdir().unwrap();
        let datastore = Datastore::open(home.path().join("trusted")).unwrap();
        let rules = trust::Rules::default();
        init(&datastore, &repository.archived("root", 1), &rules)
            .await
            .unwrap();
        let url = |path: &str| format!("http://index.example/{path}/").parse().unwrap();
        let config = UpdaterConfig::new(url("metadata"), url("targets"));
        let server = Arc::new(repository.server().clone());
        let updater = Updater::new(config, datastore, server).unwrap();
        let now = Arc::new(Mutex::new(repository.now));
        let clock = Arc::clone(&now);
        let mut config = ProxyConfig::new(home.path().join("cache"));
        config.clock = Arc::new(move || *clock.lock().unwrap());
        config.limits.refresh_interval = Duration::ZERO;
        let state = ProxyState::new(updater, config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = serve(listener, Arc::clone(&state), std::future::pending());
        let running = tokio::spawn(async move { drop(serving.await) });
        Self {
            address,
            state,
            now,
            running,
            _home: home,
        }
    }

    /// The body of what is answered with 200.
    async fn get(&self, repository: &Simulator, path: &str) -> Option<Vec<u8>> {
        *self.now.lock().unwrap() = repository.now;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             accept: application/vnd.pypi.simple.v1+json\r\n\r\n",
            self.address
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.unwrap();
        let end = reply
            .windows(4)
            .position(|part| part == b"\r\n\r\n")
            .unwrap();
        reply
            .starts_with(b"HTTP/1.1 200")
            .then(|| reply.split_off(end + 4))
    }

    /// The version of a role by the snapshot that pages and files come from.
    async fn version(&self, name: &str) -> Option<u64> {
        let session = self.state.sessions().await.remove(0).1.ok()?;
        let listed = session.snapped().snapshot().get(&role(name))?;
        Some(listed.version.get())
    }

    /// What pip would have of a goal: the file that the page names, by the URL it names, or beside it its
    /// core metadata.
    async fn fetch(&self, repository: &Simulator, goal: Goal) -> Option<Vec<u8>> {
        let project = project_of(goal);
        let page = self.get(repository, &format!("/simple/{project}/")).await?;
        let page: Value = serde_json::from_slice(&page).unwrap();
        let name = goal.filename().to_string();
        let mut files = page["files"].as_array().unwrap().iter();
        let file = files.find(|file| file["filename"] == name)?;
        let url = file["url"].as_str().unwrap().trim_start_matches("../..");
        if goal == Goal::ClaimedMetadata {
            file.get("core-metadata")?;
            return self.get(repository, &format!("{url}.metadata")).await;
        }
        self.get(repository, url).await
    }
}

impl Drop for Installer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// The first attempt that makes pip take the evil file.
pub(crate) async fn malicious(row: &Row, stolen: &[&str], goal: Goal) -> Option<Attempt> {
    for attempt in attempts(row.layout, goal) {
        // What a client knows already matters where versions go on.
        if attempt.warm && attempt.publication != Publication::New {
            continue;
        }
        let mut repository = row.layout.repository();
        let pip = Installer::of(&repository).await;
        if attempt.warm && goal != Goal::ClaimedNew {
            let honest = pip.fetch(&repository, goal).await;
            assert_eq!(honest, Some(files::content(goal.path())), "{goal:?}");
        }
        attempt.make_with_page(goal, stolen, &mut repository);
        if pip.fetch(&repository, goal).await.as_deref() == Some(EVIL) {
            return Some(attempt);
        }
    }
    None
}

/// Whether pip is shown, so many days on, what was published before.
pub(crate) async fn freeze(row: &Row, stolen: &[&str], days: i64) -> bool {
    let mut repository = row.layout.repository();
    let pip = Installer::of(&repository).await;
    keep_alive(&mut repository, stolen, days);
    pip.fetch(&repository, Goal::Unclaimed).await.is_some()
}

/// Whether pip is shown a bin of before beside what changed together with it.
pub(crate) async fn inconsistency(row: &Row, stolen: &[&str]) -> bool {
    for how in Publication::ALL {
        let (repository, bin) = mixed(row, stolen, how);
        let pip = Installer::of(&repository).await;
        let shown = pip.fetch(&repository, Goal::Unclaimed).await;
        if shown.is_some() && pip.version(&bin).await == Some(1) {
            return true;
        }
    }
    false
}
