//! A folder with a passphrase, and the program run in it as people run it.
// Each test program uses its own part.
#![allow(dead_code)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("passphrase"), "correct horse\n").unwrap();
        fs::write(folder.path().join("wrong"), "incorrect horse\n").unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-ceremony"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .stdin(std::process::Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The exit code and what was said on stderr.
    pub(crate) fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(output.stdout.is_empty() || arguments[0] == "status");
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    pub(crate) fn key(&self, name: &str) {
        self.ok(&["key", "new", name, "--passphrase-file", "passphrase"]);
    }

    pub(crate) fn genesis(&self) -> String {
        self.genesis_under("rehearsal")
    }

    /// A planned genesis; returns the digest of the event.
    pub(crate) fn genesis_under(&self, policy: &str) -> String {
        for name in ["ada", "bo", "cleo", "targets", "bins", "online"] {
            self.key(name);
        }
        let planned = self.ok(&[
            "plan",
            "genesis",
            "event",
            "--policy",
            policy,
            "--root-key",
            "Ada=ada.pub",
            "--root-key",
            "Bo=bo.pub",
            "--root-key",
            "Cleo=cleo.pub",
            "--targets-key",
            "Ada=targets.pub",
            "--bins-key",
            "Bo=bins.pub",
            "--online-key",
            "signer=online.pub",
        ]);
        let digest = planned.lines().last().unwrap();
        digest
            .strip_prefix("digest of the event: ")
            .unwrap()
            .to_owned()
    }

    pub(crate) fn sign<'a>(digest: &'a str, key: &'a str) -> Vec<&'a str> {
        vec![
            "sign",
            "event",
            "--key",
            key,
            "--reviewed",
            digest,
            "--passphrase-file",
            "passphrase",
        ]
    }
}

/// Whether a folder has nothing in it.
pub(crate) fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}
