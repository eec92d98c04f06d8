//! An index with an intake, and a client that says exactly what it sends.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use countersign_tests::environment::{Server, clean_command, free_port, program, said, samples};
use countersign_tests::published::{Made, PublishedIndex};
use keys::{FileKey, Kdf, KeyType, Passphrase, Signer};
use policy::{Encoding, Policy};
use ring::rand::SystemRandom;
use serde_json::Value;

pub(crate) const FILE: &str = "application/octet-stream";
pub(crate) const JSON: &str = "application/json";

/// What an index is asked in one request.
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What it answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

pub(crate) struct Stage {
    home: tempfile::TempDir,
    store: PathBuf,
    server: Option<Server>,
    port: u16,
    document: Value,
}

pub(crate) fn small_policy() -> String {
    let small = Policy::built_in_text("small-index").unwrap();
    small.replace("bins = \"auto\" ", "bins = 16 ")
}

impl Stage {
    /// An index without files, with an intake and a token `all` that may everything.
    pub(crate) fn new() -> Self {
        Self::by(&small_policy())
    }

    pub(crate) fn by(policy: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let online = online_key(home.path());
        let made = Made::small(Encoding::PathHashPrefixes);
        let index = PublishedIndex::make_by(home.path(), policy, made, &[], online);
        let port = free_port();
        let mut stage = Self {
            home,
            store: index.store(),
            server: None,
            port,
            document: Value::Null,
        };
        let document = stage.must(&["generate", "openapi"]);
        stage.document = serde_json::from_str(&document).unwrap();
        stage.token(
            "all",
            &[
                "--may",
                "add,yank,remove,transaction,read",
                "--project",
                "*",
            ],
        );
        stage.start(&[]);
        stage
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn log(&self) -> String {
        self.server.as_ref().unwrap().log()
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = clean_command(program("countersign"), self.home());
        command
            .args(words)
            .current_dir(self.home())
            .env("COUNTERSIGN_DATA_DIR", "index");
        command
    }

    /// Runs a command that has to succeed; its stdout.
    pub(crate) fn must(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a token; its secret is kept in a file of its name.
    pub(crate) fn token(&self, name: &str, words: &[&str]) {
        let to = format!("{name}.token");
        self.must(&[&["online", "token", "new", name, "--to", &to], words].concat());
    }

    pub(crate) fn secret(&self, name: &str) -> String {
        std::fs::read_to_string(self.home().join(format!("{name}.token"))).unwrap()
    }

    /// Starts the intake, in place of the one that runs, which is killed.
    pub(crate) fn start(&mut self, words: &[&str]) {
        self.server = None;
        let listen = format!("127.0.0.1:{}", self.port);
        let all = [&["online", "serve", "--intake-listen", &listen], words].concat();
        self.server = Some(Server::start(self.command(&all), self.port));
    }

    /// Publishes what waits.
    pub(crate) fn tick(&self) -> std::process::Output {
        let words = [
            "online",
            "tick",
            "--at-once",
            "--online-key",
            "file:online.pem",
        ];
        let mut command = self.command(&words);
        command
            .args(["--passphrase-file", "secret"])
            .output()
            .unwrap()
    }

    /// Asks with the token that may everything.
    pub(crate) fn ask(&self, ask: Ask) -> Answer {
        self.ask_as("all", ask)
    }

    pub(crate) fn ask_as(&self, token: &str, ask: Ask) -> Answer {
        self.send(&ask.header("authorization", &format!("Bearer {}", self.secret(token))))
    }

    /// Asks exactly so. The answer has to be one that the description knows.
    pub(crate) fn send(&self, ask: &Ask) -> Answer {
        let (method, path) = (ask.method, ask.path.clone());
        let answer = exchange(self.port, &ask.bytes()).expect("an answer");
        self.check(method, &path, &answer);
        answer
    }

    /// Whether the description has this answer to such a request.
    pub(crate) fn check(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap();
        let template = match path.strip_prefix("/v1/changes/") {
            Some(id) if !id.contains('/') => "/v1/changes/{id}",
            _ => path,
        };
        let operation = &self.document["paths"][template][method.to_lowercase()];
        if operation.is_null() {
            assert!(
                matches!(answer.status, 404 | 405),
                "{method} {path}: {answer:?}"
            );
        } else {
            let known = &operation["responses"][answer.status.to_string()];
            assert!(!known.is_null(), "{method} {path} has no {}", answer.status);
            if let Some(kind) = answer.header("content-type") {
                let essence = kind.split(';').next().unwrap();
                assert!(!known["content"][essence].is_null(), "{path}: {kind}");
            }
        }
        if answer.status >= 400 {
            let problem = answer.json();
            assert_eq!(problem["status"], answer.status, "{answer:?}");
            let kind = problem["type"].as_str().unwrap();
            assert!(kind.starts_with("urn:countersign:problem:"), "{kind}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json")
            );
        }
    }

    /// Everything that is kept of requests: rows of the state, uploads, files beside them.
    pub(crate) fn kept(&self) -> Vec<String> {
        let mut kept = Vec::new();
        let index = repository::Repository::open(&self.home().join("index")).unwrap();
        kept.push(format!("{} waiting", index.waiting().unwrap()));
        for id in 1.. {
            match index.submission(repository::SubmissionId(id)).unwrap() {
                Some(record) => kept.push(format!("{record:?}")),
                None => break,
            }
        }
        for folder in ["index", "index/incoming"] {
            for entry in std::fs::read_dir(self.home().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                // SQLite's own come and go.
                if !path.to_string_lossy().contains("sqlite-") {
                    kept.push(path.display().to_string());
                }
            }
        }
        kept.sort();
        kept
    }

    /// Whether the plain page of a project names a file.
    pub(crate) fn lists(&self, project: &str, file: &str) -> bool {
        let page = self.store.join(format!("simple/{project}/index.json"));
        std::fs::read_to_string(page).is_ok_and(|page| page.contains(file))
    }
}

fn online_key(home: &Path) -> Arc<dyn Signer> {
    let rng = SystemRandom::new();
    let online = FileKey::generate(KeyType::Ed25519, &rng).unwrap();
    std::fs::write(home.join("secret"), "correct horse battery staple\n").unwrap();
    let passphrase = Passphrase::from_file(&home.join("secret")).unwrap();
    let (log_n, r, p) = (10, 8, 1);
    let kdf = Kdf::Scrypt { log_n, r, p };
    let path = home.join("online.pem");
    online.save_encrypted(&path, &passphrase, kdf).unwrap();
    Arc::new(online)
}

/// Sends bytes and reads all that comes back.
pub(crate) fn exchange(port: u16, bytes: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    // A server that refuses early may close before it has read everything; its answer counts.
    let _ = stream.write_all(bytes);
    let mut read = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => read.extend_from_slice(&piece[..count]),
            Err(error) if read.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(Answer::parse(&read))
}

impl Ask {
    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A file under a name.
    pub(crate) fn file(name: &str, bytes: &[u8]) -> Self {
        Self::new("POST", &format!("/v1/changes?filename={name}")).with(FILE, bytes)
    }

    /// Changes that bring no bytes.
    pub(crate) fn edits(changes: &Value) -> Self {
        let document = serde_json::json!({ "changes": changes }).to_string();
        Self::new("POST", "/v1/changes").with(JSON, document.as_bytes())
    }

    pub(crate) fn with(mut self, content_type: &str, bytes: &[u8]) -> Self {
        bytes.clone_into(&mut self.body);
        self.header("content-type", content_type)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: index.example\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if !self
            .headers
            .iter()
            .any(|(name, _)| name == "content-length")
        {
            write!(head, "content-length: {}\r\n", self.body.len()).unwrap();
        }
        head.push_str("connection: close\r\n\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_lowercase(), value.trim().to_owned()))
        };
        Self {
            status: status.unwrap_or_else(|| panic!("no answer: {text}")),
            headers: lines.filter_map(header).collect(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The number of a request that was accepted.
    #[track_caller]
    pub(crate) fn id(&self) -> u64 {
        assert_eq!(self.status, 202, "{self:?}");
        self.json()["id"].as_u64().unwrap()
    }

    /// Which problem it is.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        let kind = self.json()["type"].as_str().unwrap().to_owned();
        let word = kind.strip_prefix("urn:countersign:problem:").unwrap();
        (self.status, word.to_owned())
    }
}

/// Name and bytes of each sample.
pub(crate) fn sample_files() -> Vec<(String, Vec<u8>)> {
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read(&path).unwrap())
    };
    samples().into_iter().map(read).collect()
}
