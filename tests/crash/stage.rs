//! An index with its programs, what should be on it, and those who judge it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use countersign_tests::checker::{Checker, Listed};
use countersign_tests::environment::{
    Server, clean_command, free_port, prepared, program, said, samples,
};
use countersign_tests::poller::Poller;
use countersign_tests::published::{Made, PublishedIndex};
use keys::{FileKey, Kdf, KeyType, Passphrase};
use metadata::Sha256;
use policy::{Encoding, Policy};
use ring::rand::SystemRandom;
use tempfile::TempDir;

/// Numbers that are the same for one seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, sides: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }

    /// Between 0 and 1.
    pub(crate) fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.below(1_000)).unwrap()) / 1_000.0
    }
}

/// What should be on the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    sha256: Sha256,
    yanked: bool,
}

#[derive(Default)]
struct Counts {
    added: u64,
    removed: u64,
    yanked: u64,
    sweeps: u64,
    kills: u64,
    looks: u64,
}

pub(crate) struct Stage {
    home: TempDir,
    root: PathBuf,
    checker: Checker,
    expected: BTreeMap<String, Expected>,
    /// Files whose upload was killed: they may be on the index or not.
    unknown: BTreeMap<String, Sha256>,
    next: u64,
    server: Option<Server>,
    daemon: Option<Child>,
    counts: Counts,
}

/// Seconds where the rehearsal policy has minutes.
fn policy() -> String {
    Policy::built_in_text("rehearsal")
        .unwrap()
        .replace("lifetime = \"10m\"", "lifetime = \"40s\"")
        .replace("lifetime = \"20m\"", "lifetime = \"1m\"")
        .replace("lifetime = \"1h\"", "lifetime = \"3m\"")
        .replace("snapshots = \"30m\"", "snapshots = \"30s\"")
}

impl Stage {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let rng = SystemRandom::new();
        let online = FileKey::generate(KeyType::Ed25519, &rng).unwrap();
        let secret = Passphrase::random(&rng).unwrap();
        secret.save_new(&home.path().join("secret")).unwrap();
        // Derived in no time: the moments to be killed at are those of the work.
        let kdf = Kdf::Scrypt {
            log_n: 10,
            r: 8,
            p: 1,
        };
        online
            .save_encrypted(&home.path().join("online.pem"), &secret, kdf)
            .unwrap();
        let made = Made::small(Encoding::PathHashPrefixes);
        let index =
            PublishedIndex::make_by(home.path(), &policy(), made, &samples(), Arc::new(online));
        let mut expected = BTreeMap::new();
        for path in samples() {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let sha256 = Sha256::of(&fs::read(&path).unwrap());
            let yanked = false;
            expected.insert(name, Expected { sha256, yanked });
        }
        Self {
            checker: Checker::new(&index.store()),
            root: index.root().to_owned(),
            home,
            expected,
            unknown: BTreeMap::new(),
            next: 1,
            server: None,
            daemon: None,
            counts: Counts::default(),
        }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = clean_command(program("countersign"), self.home.path());
        command
            .args(words)
            .current_dir(self.home.path())
            .env("COUNTERSIGN_DATA_DIR", "index");
        if words[0] == "online" && words[1] != "sweep" {
            command.args([
                "--online-key",
                "file:online.pem",
                "--passphrase-file",
                "secret",
            ]);
        }
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn must(&self, words: &[&str]) {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    }

    /// A wheel that the index does not have yet.
    fn wheel(&mut self) -> (PathBuf, String, Sha256) {
        let sample = samples()
            .into_iter()
            .find(|path| path.to_string_lossy().contains("sample_words"))
            .unwrap();
        let name = format!(
            "countersign_sample_words-1.0.0-{}-py3-none-any.whl",
            self.next
        );
        self.next += 1;
        let path = self.home.path().join(&name);
        fs::copy(sample, &path).unwrap();
        let sha256 = Sha256::of(&fs::read(&path).unwrap());
        (path, name, sha256)
    }

    /// Adds, removes or yanks one file; acknowledged.
    pub(crate) fn change(&mut self, dice: &mut Dice) {
        let ours: Vec<String> = self
            .expected
            .keys()
            .filter(|name| name.contains("-1.0.0-") && name.contains("words-1.0.0-1"))
            .filter(|name| !name.contains("1.0.0-py3"))
            .cloned()
            .collect();
        match dice.below(4) {
            0 if !ours.is_empty() => {
                let name = &ours[dice.below(ours.len() as u64) as usize];
                self.must(&["index", "remove", name]);
                self.expected.remove(name);
                self.counts.removed += 1;
            }
            1 if !ours.is_empty() => {
                let name = &ours[dice.below(ours.len() as u64) as usize];
                self.must(&["index", "yank", name]);
                self.expected.get_mut(name).unwrap().yanked = true;
                self.counts.yanked += 1;
            }
            _ => self.add(dice),
        }
    }

    /// Adds a file; sometimes waits until clients see it, where a daemon is at work.
    pub(crate) fn add(&mut self, dice: &mut Dice) {
        let (path, name, sha256) = self.wheel();
        let path = path.to_str().unwrap();
        if self.daemon.is_some() && dice.below(4) == 0 {
            self.must(&["index", "add", path, "--wait", "--wait-limit", "60"]);
            let listed = self.look("waited for");
            assert!(listed.files.contains_key(&name), "{name} was waited for");
        } else {
            self.must(&["index", "add", path]);
        }
        let yanked = false;
        self.expected.insert(name, Expected { sha256, yanked });
        self.counts.added += 1;
    }

    pub(crate) fn add_killed(&mut self, after: Duration) {
        let (path, name, sha256) = self.wheel();
        let command = self.command(&["index", "add", path.to_str().unwrap()]);
        self.kill(command, after);
        self.unknown.insert(name, sha256);
    }

    pub(crate) fn tick_killed(&mut self, after: Duration) {
        let command = self.command(&["online", "tick", "--at-once"]);
        self.kill(command, after);
    }

    pub(crate) fn kill(&mut self, mut command: Command, after: Duration) {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(after);
        let is_running = child.try_wait().unwrap().is_none();
        // SIGKILL; one that has ended already was quick.
        let _ = child.kill();
        child.wait().unwrap();
        self.counts.kills += u64::from(is_running);
    }

    pub(crate) fn tick(&self) {
        self.must(&["online", "tick", "--at-once"]);
    }

    pub(crate) fn sweep(&mut self) {
        let output = self.run(&["online", "sweep"]);
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 75)), "{}", said(&output));
        self.counts.sweeps += 1;
    }

    pub(crate) fn look(&mut self, context: &str) -> Listed {
        self.counts.looks += 1;
        let listed = self.checker.look(Utc::now());
        listed.unwrap_or_else(|wrong| panic!("{wrong}: {context}"))
    }

    /// Everything acknowledged is there, and nothing else but what nobody knows of.
    pub(crate) fn expect_all(&mut self, context: &str) {
        let listed = self.look(context);
        for (name, sha256) in std::mem::take(&mut self.unknown) {
            if listed.files.contains_key(&name) {
                let yanked = false;
                self.expected.insert(name, Expected { sha256, yanked });
            }
        }
        let found: BTreeMap<String, Expected> = listed
            .files
            .iter()
            .map(|(name, sha256)| {
                let (sha256, yanked) = (*sha256, listed.yanked.contains(name));
                (name.clone(), Expected { sha256, yanked })
            })
            .collect();
        assert_eq!(found, self.expected, "{context}");
    }

    pub(crate) fn serve(&mut self) {
        let store = self.home.path().join("index/repository");
        self.server = Some(Server::of_folder(&store));
    }

    /// A client that polls what is served.
    pub(crate) fn poll(&self) -> Poller {
        let server = self.server.as_ref().unwrap();
        let name = "countersign_sample_greeter-1.0.0-py3-none-any.whl";
        Poller::start(&server.url(""), &self.root, name)
    }

    /// Has a file taken in while something else is done; says what was said if it was refused.
    pub(crate) fn add_meanwhile(&mut self, mut other: Command) -> Option<String> {
        let (path, name, sha256) = self.wheel();
        let mut other = other.stdout(Stdio::null()).spawn().unwrap();
        let output = self.run(&["index", "add", path.to_str().unwrap()]);
        assert!(other.wait().unwrap().success());
        if !output.status.success() {
            return Some(said(&output));
        }
        let yanked = false;
        self.expected.insert(name, Expected { sha256, yanked });
        self.counts.added += 1;
        None
    }

    pub(crate) fn start_daemon(&mut self) {
        let mut command = self.command(&["online", "run", "--every", "1"]);
        command.stdout(Stdio::null());
        self.daemon = Some(command.spawn().unwrap());
    }

    pub(crate) fn kill_daemon_and_start(&mut self, pause: Duration) {
        if let Some(mut daemon) = self.daemon.take() {
            assert_eq!(daemon.try_wait().unwrap(), None, "it ended by itself");
            daemon.kill().unwrap();
            daemon.wait().unwrap();
            self.counts.kills += 1;
        }
        std::thread::sleep(pause);
        self.start_daemon();
    }

    /// SIGTERM, as a supervisor ends it.
    pub(crate) fn stop_daemon(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        let id = daemon.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
        assert_eq!(daemon.wait().unwrap().code(), Some(0));
    }

    /// The reference client, new and warm in turn, downloads what is on the index.
    pub(crate) fn python_tuf_reads_it(&mut self) {
        if self.server.is_none() {
            self.serve();
        }
        let server = self.server.as_ref().unwrap();
        let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("readers/python_tuf.py");
        let name = "countersign_sample_greeter-1.0.0-py3-none-any.whl";
        let filename = index::DistributionFilename::parse(name).unwrap();
        for work in [
            "python-tuf-warm".to_owned(),
            format!("python-tuf-{}", self.next),
        ] {
            let work = self.home.path().join(work);
            fs::create_dir_all(&work).unwrap();
            let output = clean_command(prepared("venv/bin/python"), &work)
                .arg(&reader)
                .args([server.url("metadata/"), server.url("targets/")])
                .args([&self.root, &work])
                .arg(index::file_path(&filename).as_str())
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", said(&output));
            assert!(said(&output).contains(&self.expected[name].sha256.to_string()));
        }
    }

    /// pip, through the proxy.
    pub(crate) fn pip_installs(&mut self) {
        let server = self.server.as_ref().unwrap();
        let port = free_port();
        let mut proxy = clean_command(program("countersign"), self.home.path());
        proxy
            .current_dir(self.home.path())
            .args(["proxy", "--metadata-url", &server.url("metadata/")])
            .args(["--targets-url", &server.url("targets/")])
            .args(["--root".as_ref(), self.root.as_os_str()])
            .args(["--metadata-dir", "trusted", "--cache-dir", "cache"])
            .args(["--listen", &format!("127.0.0.1:{port}")]);
        let proxy = Server::start(proxy, port);
        let into = self.home.path().join("installed");
        let output = clean_command(prepared("venv/bin/python"), self.home.path())
            .args(["-m", "pip", "install", "--no-cache-dir", "--no-deps"])
            .args(["--index-url", &proxy.url("simple/"), "--target"])
            .arg(&into)
            .args(["countersign-sample-greeter", "countersign-sample-words"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert!(into.join("countersign_sample_words").exists());
    }

    /// How often something was really killed at its work.
    pub(crate) fn kills(&self) -> u64 {
        self.counts.kills
    }

    /// What was done, for the record.
    pub(crate) fn figures(&self) -> String {
        let Counts {
            added,
            removed,
            yanked,
            sweeps,
            kills,
            looks,
        } = self.counts;
        let timestamp = fs::read_to_string(
            self.home
                .path()
                .join("index/repository/metadata/timestamp.json"),
        );
        let text = timestamp.unwrap();
        let version = text
            .rsplit(':')
            .next()
            .unwrap()
            .trim_end_matches('}')
            .to_owned();
        format!(
            "{added} files added, {removed} removed, {yanked} yanked, {sweeps} sweeps, {kills} kills, \
             {looks} looks by the checker, timestamp v{version}"
        )
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
