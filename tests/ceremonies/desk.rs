//! The table at which ceremonies are held: holders with a token each, the program they run, and the
//! index that is fed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign_tests::environment::{clean_command, prepared, program, said};
use serde_json::Value;

use crate::index::Index;

pub(crate) const PIN: &str = "314159";

pub(crate) struct Desk {
    base: tempfile::TempDir,
    pub(crate) index: Index,
    events: usize,
    /// What the first event is planned under; those that follow go on with it.
    pub(crate) policy: &'static str,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::under("rehearsal", None)
    }

    /// The same under a policy of its own, given by name and text.
    pub(crate) fn under(policy: &'static str, text: Option<&str>) -> Self {
        let base = tempfile::tempdir().unwrap();
        let path = base.path();
        fs::create_dir(path.join("tokens")).unwrap();
        fs::create_dir(path.join("published")).unwrap();
        fs::write(path.join("pin"), PIN).unwrap();
        let tokens = path.join("tokens");
        let settings = format!("directories.tokendir = {}\n", tokens.display());
        fs::write(path.join("softhsm2.conf"), settings).unwrap();
        if let Some(text) = text {
            fs::write(path.join(policy), text).unwrap();
        }
        let index = Index::init(path, policy);
        Self {
            base,
            index,
            events: 0,
            policy,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn module() -> PathBuf {
        fs::canonicalize(prepared("softhsm/libsofthsm2.so")).unwrap()
    }

    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = clean_command(program, self.base.path());
        command
            .current_dir(self.base.path())
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(&program("countersign-ceremony"));
        command.args(arguments).output().unwrap()
    }

    /// Runs the program; what it says on stdout.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program, which refuses; its code and everything it says.
    pub(crate) fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        (output.status.code().unwrap(), said(&output))
    }

    /// Hands somebody a new token.
    pub(crate) fn token(&self, label: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ceremonies/make_token.py");
        let mut command = self.command(&prepared("venv/bin/python"));
        let output = command
            .arg(script)
            .arg(Self::module())
            .args([label, PIN])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }

    pub(crate) fn uri(token: &str, object: &str) -> String {
        let module = Self::module();
        format!(
            "pkcs11:token={token};object={object}?module-path={}",
            module.display()
        )
    }

    /// Makes a key on a token; its public half is in `TOKEN-OBJECT.pub`.
    pub(crate) fn key(&self, token: &str, object: &str, key_type: &str) {
        let (uri, public) = (Self::uri(token, object), format!("{token}-{object}.pub"));
        self.ok(&[
            "key",
            "new",
            &uri,
            "--public-key",
            &public,
            "--type",
            key_type,
            "--passphrase-file",
            "pin",
        ]);
    }

    /// Proves a key for the first invitation, in `TOKEN-OBJECT.join`.
    pub(crate) fn join(&self, holder: &str, token: &str, object: &str) {
        self.join_for("invitation.json", holder, token, object);
    }

    /// Proves a key for an invitation; an earlier proof is laid aside.
    pub(crate) fn join_for(&self, invitation: &str, holder: &str, token: &str, object: &str) {
        let (uri, proof) = (Self::uri(token, object), format!("{token}-{object}.join"));
        if self.path(&proof).exists() {
            fs::remove_file(self.path(&proof)).unwrap();
        }
        self.ok(&[
            "join",
            invitation,
            "--holder",
            holder,
            "--key",
            &uri,
            "--out",
            &proof,
            "--passphrase-file",
            "pin",
        ]);
    }

    /// Makes an online key, which the index signs with from now on.
    pub(crate) fn online_key(&mut self, name: &str) {
        self.ok(&["key", "new", name, "--passphrase-file", "pin"]);
        self.index.add_key(name);
    }

    /// Plans the next event, following the last; the name of its folder.
    pub(crate) fn plan(&mut self, what: &str, arguments: &[&str]) -> String {
        self.events += 1;
        let event = format!("{}-{what}", self.events);
        let mut all = vec!["plan", what, &event];
        let before = self.last_event();
        if let Some(before) = &before {
            all.extend(["--from", "published", "--after", before]);
        } else {
            all.extend(["--policy", self.policy]);
        }
        all.extend(arguments);
        self.ok(&all);
        event
    }

    fn last_event(&self) -> Option<String> {
        let start = format!("{}-", self.events - 1);
        let entries = fs::read_dir(self.base.path()).unwrap();
        let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.find(|name| name.starts_with(&start))
    }

    /// The digest that a review ends with.
    pub(crate) fn digest(&self, event: &str) -> String {
        let review = self.ok(&["review", event]);
        let digest = review.lines().last().unwrap();
        let digest = digest.strip_prefix("digest of the event: ");
        digest.unwrap().to_owned()
    }

    /// Lets a holder review and sign on a copy of the event, and takes the copy back in.
    pub(crate) fn sign(&self, event: &str, holder: &str, keys: &[&str]) {
        let copy = format!("copy-of-{holder}-{event}");
        copy_folder(&self.path(event), &self.path(&copy));
        self.ok(&["review", &copy, "--holder", holder]);
        let digest = self.digest(&copy);
        let mut all = vec![
            "sign",
            &copy,
            "--holder",
            holder,
            "--reviewed",
            &digest,
            "--passphrase-file",
            "pin",
        ];
        for key in keys {
            all.extend(["--key", key]);
        }
        self.ok(&all);
        self.ok(&["merge", event, &copy]);
    }

    /// Combines, verifies the folder alone elsewhere, applies it to the index, and publishes it while
    /// somebody is in the middle of an update. Then everybody reads the result: as a new user, and
    /// as one who has been there before.
    pub(crate) fn publish(&mut self, event: &str) -> Value {
        self.publish_with(event, None)
    }

    /// The same with a release of developers that belongs to the set.
    pub(crate) fn publish_with(&mut self, event: &str, release: Option<&str>) -> Value {
        self.ok(&["status", event]);
        self.ok(&["combine", event]);
        let alone = tempfile::tempdir().unwrap();
        let elsewhere = alone.path().join("event");
        copy_folder(&self.path(event), &elsewhere);
        let said = self.ok(&["verify", elsewhere.to_str().unwrap()]);
        assert!(said.ends_with("everything in this event holds\n"), "{said}");
        let set = self.path(event).join("publish-set");
        self.index.apply(&set, release);
        // Every second time it is somebody new, every second time one who has missed an event.
        let report = match self.events {
            1 => self.index.tick(),
            odd if odd % 2 == 1 => self.index.tick_during_an_update("now-and-then"),
            _ => self
                .index
                .tick_during_an_update(&format!("new-during-{event}")),
        };
        copy_folder(&set, &self.path("published"));
        let served = self.index.store().join("metadata");
        self.ok(&["verify", event, "--against", served.to_str().unwrap()]);
        for client in [&format!("fresh-{event}"), "warm"] {
            self.index.read(client);
            self.index.read_with_python(client);
        }
        report
    }
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
