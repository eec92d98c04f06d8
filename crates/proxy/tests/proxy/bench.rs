//! A simulated index with two projects, a proxy before it, and an HTTP client that shows everything.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use client::{Datastore, Session, Updater, UpdaterConfig, init};
use countersign_proxy::{Problem, ProxyConfig, ProxyState, SharedState, serve};
use countersign_tests::{Key, Server, Simulator};
use index::{
    DistributionFilename, PageFile, ProjectName, SimplePage, Status, Yanked, file_path,
    metadata_path, page_path,
};
use metadata::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A project that nobody claims, without dependencies.
pub(crate) const WORDS: &str = "countersign-sample-words";
pub(crate) const WORDS_WHEEL: &str = "countersign_sample_words-1.0.0-py3-none-any.whl";
/// A project that its developers sign; needs the other.
pub(crate) const GREETER: &str = "countersign-sample-greeter";
pub(crate) const GREETER_WHEEL: &str = "countersign_sample_greeter-1.0.0-py3-none-any.whl";

pub(crate) const WORDS_PAGE: &str = "/simple/countersign-sample-words/";
pub(crate) const GREETER_PAGE: &str = "/simple/countersign-sample-greeter/";

/// The index and a proxy before it.
pub(crate) struct Bench {
    pub(crate) repository: Simulator,
    proxy: Proxy,
}

/// A proxy that listens. What it trusts and has cached outlives it.
pub(crate) struct Proxy {
    pub(crate) state: SharedState,
    pub(crate) address: SocketAddr,
    pub(crate) dir: Arc<tempfile::TempDir>,
    server: Server,
    now: Arc<Mutex<DateTime<Utc>>>,
}

impl Deref for Bench {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.proxy
    }
}

/// One of the sample wheels.
pub(crate) fn sample(filename: &str) -> Vec<u8> {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples/dist");
    std::fs::read(dist.join(filename)).unwrap()
}

pub(crate) fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

pub(crate) fn distribution(filename: &str) -> DistributionFilename {
    DistributionFilename::parse(filename).unwrap()
}

pub(crate) fn entry(filename: &str, bytes: &[u8]) -> PageFile {
    PageFile {
        filename: distribution(filename),
        sha256: Sha256::of(bytes),
        size: bytes.len() as u64,
        requires_python: None,
        upload_time: None,
        yanked: Yanked::No,
        core_metadata: None,
    }
}

impl Bench {
    /// Both projects published, the proxy listening; every request refreshes.
    pub(crate) async fn new() -> Self {
        Self::with_interval(Duration::ZERO).await
    }

    pub(crate) async fn with_interval(refresh_interval: Duration) -> Self {
        let mut repository = Simulator::standard();
        let pattern = format!("packages/{}/{GREETER}/*", project(GREETER).shard());
        let developers = [Key::ed25519("greeter")];
        repository
            .delegate("claimed", "project-greeter", &developers, &[&pattern])
            .terminating = true;
        put_page(
            &mut repository,
            WORDS,
            vec![entry(WORDS_WHEEL, &sample(WORDS_WHEEL))],
        );
        put_page(
            &mut repository,
            GREETER,
            vec![entry(GREETER_WHEEL, &sample(GREETER_WHEEL))],
        );
        repository.serve_target(&path_of(WORDS_WHEEL), &sample(WORDS_WHEEL));
        let path = path_of(GREETER_WHEEL);
        repository.add_target("project-greeter", &path, &sample(GREETER_WHEEL));
        repository.publish();
        Self::before(repository, refresh_interval).await
    }

    async fn before(repository: Simulator, refresh_interval: Duration) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let datastore = Datastore::open(dir.path().join("trusted")).unwrap();
        let rules = trust::Rules::default();
        init(&datastore, &repository.archived("root", 1), &rules)
            .await
            .unwrap();
        let now = Arc::new(Mutex::new(repository.now));
        let server = repository.server().clone();
        let proxy = Proxy::start(dir, server, now, |config| {
            config.limits.refresh_interval = refresh_interval;
        });
        Self {
            proxy: proxy.await,
            repository,
        }
    }

    /// Replaces the page of a project in its bin; to be published.
    pub(crate) fn put_page(&mut self, name: &str, files: Vec<PageFile>) {
        put_page(&mut self.repository, name, files);
    }

    /// Lets time pass for the proxy.
    pub(crate) fn advance(&mut self, by: chrono::Duration) {
        self.repository.advance(by);
        *self.now.lock().unwrap() = self.repository.now;
    }
}

impl Proxy {
    async fn start(
        dir: Arc<tempfile::TempDir>,
        server: Server,
        now: Arc<Mutex<DateTime<Utc>>>,
        change: impl FnOnce(&mut ProxyConfig),
    ) -> Self {
        let datastore = Datastore::open(dir.path().join("trusted")).unwrap();
        let datastore = datastore.with_patience(Duration::from_millis(300));
        let url = |path: &str| format!("http://index.example/{path}/").parse().unwrap();
        let config = UpdaterConfig::new(url("metadata"), url("targets"));
        let updater = Updater::new(config, datastore, Arc::new(server.clone())).unwrap();
        let clock = Arc::clone(&now);
        let mut config = ProxyConfig {
            clock: Arc::new(move || *clock.lock().unwrap()),
            ..ProxyConfig::new(dir.path().join("cache"))
        };
        change(&mut config);
        let state = ProxyState::new(updater, config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::clone(&state), std::future::pending()));
        Self {
            state,
            address,
            dir,
            server,
            now,
        }
    }

    /// Another process with the same folders, which refreshes at every request.
    pub(crate) async fn again(&self) -> Self {
        self.again_with(|_| ()).await
    }

    /// The same with other settings.
    pub(crate) async fn again_with(&self, change: impl FnOnce(&mut ProxyConfig)) -> Self {
        let (dir, now) = (Arc::clone(&self.dir), Arc::clone(&self.now));
        Self::start(dir, self.server.clone(), now, |config| {
            config.limits.refresh_interval = Duration::ZERO;
            change(config);
        })
        .await
    }

    /// The session in force.
    pub(crate) async fn session(&self) -> Result<Arc<Session>, Problem> {
        self.state.sessions().await.remove(0).1
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(
            "GET",
            path,
            "accept: application/vnd.pypi.simple.v1+json\r\n",
        )
        .await
    }

    /// Sends a request with these further header lines.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &str) -> Reply {
        send(self.address, method, path, headers).await
    }

    /// The names of the cache's files.
    pub(crate) fn cached(&self) -> Vec<String> {
        let cache = self.dir.path().join("cache");
        let shards = std::fs::read_dir(cache)
            .unwrap()
            .map(|shard| shard.unwrap().path());
        let files = shards.flat_map(|shard| std::fs::read_dir(shard).unwrap());
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

/// Asks for a path at an address.
pub(crate) async fn ask(address: SocketAddr, path: &str) -> Reply {
    send(address, "GET", path, "").await
}

pub(crate) async fn send(address: SocketAddr, method: &str, path: &str, headers: &str) -> Reply {
    let host = if headers.contains("host:") {
        String::new()
    } else {
        format!("host: {address}\r\n")
    };
    let request = format!("{method} {path} HTTP/1.1\r\n{host}connection: close\r\n{headers}\r\n");
    Reply::parse(&raw(address, &request).await)
}

/// Everything that comes on a connection.
pub(crate) async fn raw(address: SocketAddr, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    // A connection that is broken off has said what it had to say.
    let _ = stream.read_to_end(&mut reply).await;
    reply
}

pub(crate) fn put_page(repository: &mut Simulator, name: &str, files: Vec<PageFile>) {
    let page = SimplePage::new(project(name), files, Status::default())
        .unwrap()
        .render_json();
    let path = page_path(&project(name)).to_string();
    let bin = repository.bin_of("bins", &path);
    repository.add_target(&bin, &path, &page);
}

pub(crate) fn path_of(filename: &str) -> String {
    file_path(&distribution(filename)).to_string()
}

pub(crate) fn metadata_path_of(filename: &str) -> String {
    metadata_path(&distribution(filename)).to_string()
}

/// Where the proxy serves a file.
pub(crate) fn url_of(filename: &str, bytes: &[u8]) -> String {
    format!("/files/{}/{filename}", Sha256::of(bytes))
}

/// A response, byte for byte.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|it| it == b"\r\n\r\n")
            .expect("a whole head");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap().splitn(3, ' ').skip(1);
        let status = first.next().unwrap().parse().unwrap();
        let reason = first.next().unwrap_or_default().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Self {
            status,
            reason,
            headers: lines.map(header).collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(it, _)| it == name)
            .map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// That it is a refusal of this status, and its reason phrase.
    pub(crate) fn refused(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json()["status"], status);
        assert!(
            self.json()["hint"]
                .as_str()
                .is_some_and(|hint| !hint.is_empty())
        );
        &self.reason
    }
}
