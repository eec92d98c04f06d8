//! The programs on an index whose store is in a bucket: what an operator types, what readers get.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::Utc;
use countersign_tests::environment::{
    Server, clean_command, free_port, prepared, program, said, samples,
};
use countersign_tests::faults::{Fault, Faults};
use countersign_tests::poller::Poller;
use countersign_tests::published::{Genesis, Made, policy_text};
use countersign_tests::s3::S3;
use keys::{FileKey, Kdf, KeyType, Passphrase};
use policy::Encoding;
use repository::Uploads;
use ring::rand::SystemRandom;
use tempfile::TempDir;

/// An operator at work.
pub(crate) struct Operator<'a> {
    pub(crate) home: TempDir,
    s3: &'a S3,
    pub(crate) genesis: Genesis,
}

impl<'a> Operator<'a> {
    pub(crate) fn new(s3: &'a S3) -> Self {
        let home = tempfile::tempdir().unwrap();
        let rng = SystemRandom::new();
        let online = FileKey::generate(KeyType::Ed25519, &rng).unwrap();
        let secret = Passphrase::random(&rng).unwrap();
        secret.save_new(&home.path().join("secret")).unwrap();
        let kdf = Kdf::Scrypt {
            log_n: 10,
            r: 8,
            p: 1,
        };
        online
            .save_encrypted(&home.path().join("online.pem"), &secret, kdf)
            .unwrap();
        let bins = (8, Encoding::PathHashPrefixes);
        let policy = policy_text(bins);
        std::fs::write(home.path().join("policy.toml"), &policy).unwrap();
        let made = Made {
            bins,
            keys: KeyType::Ed25519,
            now: Utc::now(),
        };
        let genesis = Genesis::hold(home.path(), &policy, made, &online);
        Self { home, s3, genesis }
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = clean_command(program("countersign"), self.home.path());
        command
            .args(words)
            .current_dir(self.home.path())
            .env("COUNTERSIGN_DATA_DIR", "index");
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    pub(crate) fn must(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        said(&output)
    }

    /// What the program says when it ends with this code.
    fn fails(&self, code: i32, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{words:?}: {}",
            said(&output)
        );
        said(&output)
    }

    /// Makes the index, with its store and its uploads in buckets reached through `port`.
    fn init(&self, port: u16, code: i32) -> String {
        self.init_with(port, code, &[])
    }

    /// The same with more said of it.
    pub(crate) fn init_with(&self, port: u16, code: i32, more: &[&str]) -> String {
        let endpoint = format!("http://127.0.0.1:{port}");
        let credentials = self.s3.credentials();
        let words = [
            "index",
            "init",
            "--online-key",
            "file:online.pem",
            "--passphrase-file",
            "secret",
            "--policy",
            "policy.toml",
            "--store",
            "s3://index-store/public",
            "--uploads",
            "s3://index-store/private",
            "--store-endpoint",
            &endpoint,
            "--store-region",
            "us-east-1",
            "--store-path-style",
            "--store-credentials-file",
            credentials.to_str().unwrap(),
        ];
        let output = self.run(&[&words, more].concat());
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        said(&output)
    }

    pub(crate) fn publish(&self, files: &[PathBuf]) {
        let files: Vec<_> = files.iter().map(|path| path.to_str().unwrap()).collect();
        self.must(&[&["index", "add"], &files[..]].concat());
        self.must(&["online", "tick", "--at-once"]);
    }
}

#[test]
fn an_index_lives_in_a_bucket() {
    let s3 = S3::start();
    s3.make("other-box");
    let operator = Operator::new(&s3);
    operator.init(s3.port(), 0);
    let shown = operator.must(&["config", "show"]);
    for part in [
        "s3://index-store/public ",
        "s3://index-store/private ",
        "countersign.toml",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    operator.must(&["index", "apply", operator.genesis.set.to_str().unwrap()]);
    let samples = samples();
    operator.publish(&samples[..1]);
    let base = s3.url("public");
    let first = samples[0].file_name().unwrap().to_str().unwrap();
    let poller = Poller::start(&base, &operator.genesis.root, first);
    assert!(
        operator
            .home
            .path()
            .join("index/incoming")
            .read_dir()
            .is_err(),
        "nothing is kept here"
    );
    operator.must(&["index", "add", samples[1].to_str().unwrap()]);
    assert!(!s3.uploads("private").list().unwrap().is_empty());
    operator.must(&["online", "tick", "--at-once"]);
    operator.publish(&samples[2..]);
    operator.must(&["index", "yank", first]);
    operator.must(&["online", "tick", "--at-once"]);
    operator.must(&["online", "sweep"]);
    let status = operator.must(&["index", "status"]);
    assert!(status.contains("timestamp"), "{status}");
    let root = operator.genesis.root.to_str().unwrap().to_owned();
    let audit = operator.must(&["audit", &base, "--root", &root, "--read-files"]);
    assert!(audit.contains("tough"), "{audit}");
    let refused = operator.fails(1, &["serve"]);
    assert!(
        refused.contains("s3://index-store/public, which serves itself"),
        "{refused}"
    );
    pip_installs(&operator, &base);
    python_tuf_reads(&operator, &base);
    // A machine with the timestamp key alone.
    std::fs::copy(
        &operator.genesis.root,
        operator.home.path().join("index/root.json"),
    )
    .unwrap();
    let renewed = operator.must(&[
        "online",
        "tick",
        "--only",
        "timestamp",
        "--policy",
        "policy.toml",
    ]);
    assert!(renewed.contains("nothing to do"), "{renewed}");
    assert!(poller.end() > 2);
}

fn pip_installs(operator: &Operator<'_>, base: &str) {
    let port = free_port();
    let mut proxy = operator.command(&["proxy", "--listen", &format!("127.0.0.1:{port}")]);
    proxy
        .args(["--metadata-url", &format!("{base}metadata/")])
        .args(["--targets-url", &format!("{base}targets/")])
        .args(["--root".as_ref(), operator.genesis.root.as_os_str()])
        .args(["--metadata-dir", "trusted", "--cache-dir", "cache"]);
    let proxy = Server::start(proxy, port);
    let output = clean_command(prepared("venv/bin/python"), operator.home.path())
        .args(["-m", "pip", "install", "--no-cache-dir", "--no-deps"])
        .args(["--index-url", &proxy.url("simple/"), "--target"])
        .arg(operator.home.path().join("installed"))
        .arg("countersign-sample-words")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// A client that knows only 404 for what is missing.
fn python_tuf_reads(operator: &Operator<'_>, base: &str) {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("readers/python_tuf.py");
    let name = "countersign_sample_greeter-1.0.0-py3-none-any.whl";
    let filename = index::DistributionFilename::parse(name).unwrap();
    let work = operator.home.path().join("python-tuf");
    std::fs::create_dir(&work).unwrap();
    let output = clean_command(prepared("venv/bin/python"), &work)
        .arg(reader)
        .args([format!("{base}metadata/"), format!("{base}targets/")])
        .args([&operator.genesis.root, &work])
        .arg(index::file_path(&filename).as_str())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_bucket_that_does_not_fit_is_refused_and_what_fails_is_said() {
    let s3 = S3::start();
    let operator = Operator::new(&s3);
    let faults = Faults::before(s3.port(), |asked| match asked.header("if-none-match") {
        Some(_) => Fault::Unconditional,
        None => Fault::None,
    });
    let refused = operator.init(faults.port(), 1);
    assert!(
        refused.contains("s3://index-store/public ignores `If-None-Match`"),
        "{refused}"
    );
    assert!(refused.contains("conditional writes"), "{refused}");
    faults.plan(|_| Fault::Status(403));
    let refused = operator.init(faults.port(), 20);
    assert!(refused.contains("generate bucket-policy"), "{refused}");
    faults.plan(|_| Fault::None);
    operator.init(faults.port(), 0);
    operator.must(&["index", "apply", operator.genesis.set.to_str().unwrap()]);
    operator.publish(&samples());
    // Conditions that are lost later are noticed before anything is signed.
    faults.plan(|asked| match asked.header("if-match") {
        Some(_) => Fault::Unconditional,
        None => Fault::None,
    });
    let refused = operator.fails(1, &["online", "tick", "--at-once"]);
    assert!(refused.contains("ignores `If-Match`"), "{refused}");
    // What an operator may type.
    for (words, code, part) in [
        (&["--store", "s3://x"][..], 2, "3 to 63"),
        (&["--store", "gs://bucket"], 2, "does not begin with s3://"),
        (
            &["--store-endpoint", "http://store.index.example"],
            2,
            "plain HTTP",
        ),
        (
            &["--uploads", "s3://index-store/public/new"],
            2,
            "for everybody to read",
        ),
    ] {
        let shown = operator.fails(code, &[&["index", "status"], words].concat());
        assert!(shown.contains(part), "{words:?}: {shown}");
    }
}

/// A client that polls throughout is led from the old place to the new one and back, while signers go on.
#[test]
fn an_index_moves_into_a_bucket_and_out_of_it() {
    let s3 = S3::start();
    let operator = Operator::new(&s3);
    let words = [
        "index",
        "init",
        "--online-key",
        "file:online.pem",
        "--passphrase-file",
        "secret",
        "--policy",
        "policy.toml",
    ];
    operator.must(&words);
    operator.must(&["index", "apply", operator.genesis.set.to_str().unwrap()]);
    let samples = samples();
    let first = samples[0].file_name().unwrap().to_str().unwrap();
    operator.publish(&samples[..2]);
    operator.must(&["index", "yank", first]);
    operator.must(&["online", "tick", "--at-once"]);
    let served = Server::of_folder(&operator.home.path().join("index/repository"));
    let poller = Poller::start(&served.url(""), &operator.genesis.root, first);
    // Queued, and published in the new place.
    operator.must(&["index", "add", samples[2].to_str().unwrap()]);
    let writes = AtomicUsize::new(0);
    let faults = Faults::before(s3.port(), move |asked| {
        let is_write = asked.is_write();
        let done = writes.fetch_add(usize::from(is_write), Ordering::SeqCst);
        if is_write && done > 12 {
            Fault::Status(403)
        } else {
            Fault::None
        }
    });
    let credentials = s3.credentials();
    let to_bucket = |port: u16| {
        let endpoint = format!("--store-endpoint=http://127.0.0.1:{port}");
        let credentials = format!("--store-credentials-file={}", credentials.display());
        let words = [
            "index",
            "move",
            "--to",
            "s3://index-store/public",
            "--store-path-style",
        ];
        let more = [&endpoint, &credentials, "--store-region=us-east-1"];
        operator.run(&[&words[..], &more].concat())
    };
    let config =
        || std::fs::read_to_string(operator.home.path().join("index/countersign.toml")).unwrap();
    let before = config();
    let died = to_bucket(faults.port());
    assert_eq!(died.status.code(), Some(20), "{}", said(&died));
    assert_eq!(config(), before, "nothing has moved");
    operator.must(&["index", "status"]);
    // The old store is not trusted.
    let old = operator.home.path().join("index/repository");
    // Not the file that the client polls for.
    let other = samples[1].file_name().unwrap().to_str().unwrap();
    let wheel = stored(&old.join("targets/packages"), other);
    let bytes = std::fs::read(&wheel).unwrap();
    std::fs::remove_file(&wheel).unwrap();
    std::fs::write(&wheel, b"other bytes").unwrap();
    let refused = to_bucket(s3.port());
    assert_eq!(refused.status.code(), Some(10), "{}", said(&refused));
    assert_eq!(config(), before, "nothing has moved");
    std::fs::write(&wheel, bytes).unwrap();

    let moved = to_bucket(s3.port());
    assert!(moved.status.success(), "{}", said(&moved));
    assert!(said(&moved).contains("read them back"), "{}", said(&moved));
    assert!(config().starts_with(before.trim_end()), "{}", config());
    poller.lead_to(&s3.url("public"));
    operator.must(&["online", "tick", "--at-once"]);
    operator.fails(2, &["index", "move", "--to", "s3://index-store/public"]);
    // Who has not heard of it publishes nothing where nobody looks any more.
    let before = published(&old);
    let old_words = ["online", "tick", "--at-once", "--store", "index/repository"];
    let left = operator.fails(1, &old_words);
    assert!(left.contains("the index has left the store"), "{left}");
    assert!(left.contains("[storage] store"), "{left}");
    assert_eq!(published(&old), before);
    let root = operator.genesis.root.to_str().unwrap();
    operator.must(&["audit", &s3.url("public"), "--root", root, "--read-files"]);
    let status = operator.must(&["index", "status", "--json"]);
    assert!(status.contains("\"changes_waiting\": 0"), "{status}");

    operator.must(&["index", "move", "--to", "moved"]);
    let served = Server::of_folder(&operator.home.path().join("moved"));
    poller.lead_to(&served.url(""));
    operator.must(&["online", "tick", "--at-once"]);
    operator.must(&["audit", "moved", "--root", root, "--read-files"]);
    assert!(poller.end() > 4);
}

/// What a folder publishes.
fn published(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("metadata/timestamp.json")).unwrap()
}

/// The one file below a folder whose name ends so.
fn stored(folder: &Path, end: &str) -> PathBuf {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(path);
            }
        }
    }
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}
