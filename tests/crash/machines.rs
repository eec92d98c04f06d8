//! Several signers with one state in PostgreSQL: one of them works, and when it sleeps or dies another does.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use countersign_tests::checker::{Checker, Listed};
use countersign_tests::environment::{clean_command, program, said, samples};
use countersign_tests::postgres::{PASSWORD, PostgresServer};
use countersign_tests::published::{Made, PublishedIndex};
use keys::{FileKey, Kdf, KeyType, Passphrase};
use policy::{Encoding, Policy};
use ring::rand::SystemRandom;
use rustix::process::{Pid, Signal, kill_process};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// An index in a database and a folder, and the programs at work on it.
struct Machines {
    home: tempfile::TempDir,
    server: PostgresServer,
    checker: Checker,
    wheels: u32,
}

impl Machines {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let server = PostgresServer::start();
        let url = server.database("index");
        let at = |name: &str| home.path().join(name);
        let rng = SystemRandom::new();
        let online = FileKey::generate(KeyType::Ed25519, &rng).unwrap();
        let secret = Passphrase::random(&rng).unwrap();
        secret.save_new(&at("secret")).unwrap();
        let kdf = Kdf::Scrypt {
            log_n: 10,
            r: 8,
            p: 1,
        };
        online
            .save_encrypted(&at("online.pem"), &secret, kdf)
            .unwrap();
        let policy = Policy::built_in_text("rehearsal").unwrap();
        let policy = policy.replace("lease = \"30s\"", "lease = \"5s\"");
        fs::write(at("policy.toml"), &policy).unwrap();
        fs::write(at("database"), PASSWORD).unwrap();
        // Held for another index: what counts is its set.
        let made = Made::small(Encoding::PathHashPrefixes);
        fs::create_dir(at("ceremony")).unwrap();
        drop(PublishedIndex::make_by(
            &at("ceremony"),
            &policy,
            made,
            &[],
            Arc::new(online),
        ));
        let run = |words: &[&str]| {
            let output = command(home.path(), words).output().unwrap();
            assert!(output.status.success(), "{words:?}: {}", said(&output));
        };
        run(&[
            "index",
            "init",
            "--state",
            &url,
            "--state-password-file",
            "database",
            "--policy",
            "policy.toml",
            "--online-key",
            "file:online.pem",
            "--passphrase-file",
            "secret",
        ]);
        run(&["index", "apply", "ceremony/genesis/publish-set"]);
        run(&["online", "tick", "--at-once"]);
        Self {
            checker: Checker::new(&at("index/repository")),
            home,
            server,
            wheels: 0,
        }
    }

    fn run(&self, words: &[&str]) -> Output {
        command(self.home.path(), words).output().unwrap()
    }

    fn must(&self, words: &[&str]) {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    }

    fn spawn(&self, words: &[&str]) -> Child {
        let mut command = command(self.home.path(), words);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Has a new file taken in.
    fn add(&mut self) {
        let is_words = |path: &&std::path::PathBuf| path.to_string_lossy().contains("sample_words");
        let sample = samples().into_iter().find(|path| is_words(&path)).unwrap();
        self.wheels += 1;
        let name = format!(
            "countersign_sample_words-1.0.0-{}-py3-none-any.whl",
            self.wheels
        );
        fs::copy(sample, self.home.path().join(&name)).unwrap();
        self.must(&["index", "add", &name]);
    }

    /// What clients see: whole, and never older than before.
    fn look(&mut self) -> Listed {
        self.checker
            .look(Utc::now())
            .unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    fn timestamp(&self) -> Vec<u8> {
        let path = self
            .home
            .path()
            .join("index/repository/metadata/timestamp.json");
        fs::read(path).unwrap()
    }
}

fn command(home: &Path, words: &[&str]) -> Command {
    let mut command = clean_command(program("countersign"), home);
    command
        .args(words)
        .current_dir(home)
        .env("COUNTERSIGN_DATA_DIR", "index");
    command
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "waited for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A signer is stopped in the middle of a cycle. When its lease has run out another works, and the first
/// wakes to find that it is the writer no more.
#[test]
fn a_signer_that_slept_publishes_nothing() {
    let mut machines = Machines::new();
    machines.add();
    // It can take the lease, but not read what waits.
    let mut gate = machines.server.connect("index");
    let mut gate = gate.transaction().unwrap();
    gate.batch_execute("LOCK TABLE changes IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let sleeper = machines.spawn(&["online", "tick", "--at-once"]);
    let pid = Pid::from_child(&sleeper);
    let mut watch = machines.server.connect("index");
    wait_until("a signer that waits for the journal", || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        watch.query_one(sql, &[]).unwrap().get::<_, i64>(0) == 1
    });
    kill_process(pid, Signal::STOP).unwrap();
    gate.rollback().unwrap();
    let busy = machines.run(&["online", "tick", "--at-once"]);
    assert_eq!(busy.status.code(), Some(75), "{}", said(&busy));
    assert!(
        said(&busy).contains("is at work on this index, by a lease"),
        "{}",
        said(&busy)
    );
    assert_eq!(machines.look().files.len(), 0, "nobody has published yet");
    wait_until("another signer that publishes", || {
        let done = machines.run(&["online", "tick", "--at-once"]);
        assert!(
            matches!(done.status.code(), Some(0 | 75)),
            "{}",
            said(&done)
        );
        done.status.success()
    });
    assert_eq!(machines.look().files.len(), 1);
    let published = machines.timestamp();
    kill_process(pid, Signal::CONT).unwrap();
    let woken = sleeper.wait_with_output().unwrap();
    assert_eq!(woken.status.code(), Some(75), "{}", said(&woken));
    assert!(said(&woken).contains("took its place"), "{}", said(&woken));
    assert_eq!(machines.timestamp(), published);
    machines.look();
    machines.add();
    machines.must(&["online", "tick", "--at-once"]);
    assert_eq!(machines.look().files.len(), 2);
}

/// Two daemons at once; one after the other dies without a word, and comes back. Whatever was acknowledged is
/// published.
#[test]
fn two_signers_compete_and_one_of_them_works() {
    let mut machines = Machines::new();
    let words = ["online", "run", "--every", "1"];
    let mut signers = [machines.spawn(&words), machines.spawn(&words)];
    for round in 0..3 {
        machines.add();
        let signer = &mut signers[round % 2];
        assert_eq!(signer.try_wait().unwrap(), None, "it ended by itself");
        signer.kill().unwrap();
        signer.wait().unwrap();
        machines.add();
        let all = (round + 1) * 2;
        machines.look();
        wait_until("what was acknowledged", || {
            machines.look().files.len() == all
        });
        if round < 2 {
            signers[round % 2] = machines.spawn(&words);
        }
    }
    // The one that is left has long heard how it can be stopped.
    let last = &mut signers[1];
    kill_process(Pid::from_child(last), Signal::TERM).unwrap();
    assert_eq!(last.wait().unwrap().code(), Some(0));
}
