//! An index as several machines run it: state in PostgreSQL, store and uploads in a bucket, three signers and
//! two intakes. Signers die one after the other while files come in and a client polls.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;
use countersign_tests::checker::Checker;
use countersign_tests::environment::{Server, free_port, samples};
use countersign_tests::poller::Poller;
use countersign_tests::postgres::{PASSWORD, PostgresServer};
use countersign_tests::s3::S3;
use rustix::process::{Pid, Signal, kill_process};

use crate::programs::Operator;
use crate::stage::FIRST;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);

const SIGNERS: usize = 3;
const INTAKES: usize = 2;

/// Programs at work on one index, each as on a machine of its own.
struct Machines<'a> {
    operator: &'a Operator<'a>,
    signers: Vec<Child>,
    intakes: Vec<(Server, u16)>,
    secret: String,
}

impl<'a> Machines<'a> {
    fn start(operator: &'a Operator<'a>) -> Self {
        let words = [
            "online",
            "token",
            "new",
            "heads",
            "--may",
            "add",
            "--project",
            "*",
        ];
        let mut token = operator.command(&words);
        let made = token.args(["--to", "heads.token"]).output().unwrap();
        assert!(made.status.success());
        let secret = std::fs::read_to_string(operator.home.path().join("heads.token")).unwrap();
        let mut machines = Self {
            operator,
            signers: Vec::new(),
            intakes: Vec::new(),
            secret,
        };
        for number in 0..SIGNERS {
            let signer = machines.signer(number);
            machines.signers.push(signer);
        }
        for number in 0..INTAKES {
            let port = free_port();
            let listen = format!("127.0.0.1:{port}");
            let words = [
                "online",
                "serve",
                "--tokens",
                "index/tokens.toml",
                "--intake-listen",
            ];
            let mut intake = machines.command(SIGNERS + number, &words);
            intake.arg(listen);
            machines.intakes.push((Server::start(intake, port), port));
        }
        machines
    }

    /// A command with a data directory that holds the settings alone.
    fn command(&self, machine: usize, words: &[&str]) -> std::process::Command {
        let home = self.operator.home.path();
        let folder = home.join(format!("machine-{machine}"));
        std::fs::create_dir_all(&folder).unwrap();
        let settings = std::fs::read(home.join("index/countersign.toml")).unwrap();
        std::fs::write(folder.join("countersign.toml"), settings).unwrap();
        let mut command = self.operator.command(words);
        command.env("COUNTERSIGN_DATA_DIR", folder);
        command
    }

    fn signer(&self, machine: usize) -> Child {
        let mut command = self.command(machine, &["online", "run", "--every", "1"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Kills a signer and starts it again.
    fn kill(&mut self, number: usize) {
        let signer = &mut self.signers[number];
        assert_eq!(signer.try_wait().unwrap(), None, "it ended by itself");
        signer.kill().unwrap();
        signer.wait().unwrap();
        self.signers[number] = self.signer(number);
    }

    /// Hands a file in at one of the intakes, which acknowledges it.
    fn hand_in(&self, intake: usize, name: &str, bytes: &[u8]) {
        let port = self.intakes[intake].1;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let head = format!(
            "POST /v1/changes?filename={name} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
             authorization: Bearer {}\r\ncontent-type: application/octet-stream\r\n\
             content-length: {}\r\n\r\n",
            self.secret.trim(),
            bytes.len()
        );
        stream
            .write_all(&[head.as_bytes(), bytes].concat())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 202"), "{name}: {answer}");
    }
}

impl Drop for Machines<'_> {
    fn drop(&mut self) {
        for signer in &mut self.signers {
            let _ = signer.kill();
            let _ = signer.wait();
        }
    }
}

#[test]
fn three_signers_and_two_intakes_share_an_index() {
    let (s3, server) = (S3::start(), PostgresServer::start());
    let operator = Operator::new(&s3);
    let at = |name: &str| operator.home.path().join(name);
    std::fs::write(at("database"), PASSWORD).unwrap();
    let policy = std::fs::read_to_string(at("policy.toml")).unwrap();
    let quick = policy
        .replace("lease = \"30s\"", "lease = \"5s\"")
        .replace("batch_wait = \"60s\"", "batch_wait = \"1s\"");
    std::fs::write(at("policy.toml"), quick).unwrap();
    let url = server.database("index");
    let state = ["--state", &url, "--state-password-file", "database"];
    operator.init_with(s3.port(), 0, &state);
    operator.must(&["index", "apply", operator.genesis.set.to_str().unwrap()]);
    let is_words = |path: &&std::path::PathBuf| path.to_string_lossy().contains("sample_words");
    let wheel = samples().into_iter().find(|path| is_words(&path)).unwrap();
    let wheel = std::fs::read(wheel).unwrap();
    std::fs::write(at(FIRST), &wheel).unwrap();
    operator.publish(&[at(FIRST)]);
    let poller = Poller::start(&s3.url("public"), &operator.genesis.root, FIRST);

    let mut machines = Machines::start(&operator);
    let mut files = 1;
    for round in 0..2 * SIGNERS {
        for intake in 0..INTAKES {
            files += 1;
            let name = format!("countersign_sample_words-1.0.0-{files}-py3-none-any.whl");
            machines.hand_in(intake, &name, &wheel);
            std::thread::sleep(Duration::from_millis(400));
        }
        machines.kill(round % SIGNERS);
    }
    let exported = tempfile::tempdir().unwrap();
    s3.export("public", exported.path());
    let mut checker = Checker::new(exported.path());
    let since = Instant::now();
    loop {
        s3.export("public", exported.path());
        let listed = checker.look(Utc::now()).unwrap();
        if listed.files.len() == files {
            break;
        }
        let count = listed.files.len();
        assert!(
            since.elapsed() < PATIENCE,
            "{count} of {files} files are there"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    for signer in &mut machines.signers {
        kill_process(Pid::from_child(signer), Signal::TERM).unwrap();
        assert_eq!(signer.wait().unwrap().code(), Some(0));
    }
    assert!(poller.end() > 10);
    let root = operator.genesis.root.to_str().unwrap();
    operator.must(&["audit", &s3.url("public"), "--root", root, "--read-files"]);
}
