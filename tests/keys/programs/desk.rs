//! A folder in which both programs are run, with an environment of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_tests::environment::program;
use serde_json::{Value, json};

/// The programs that have the `key` commands.
pub(crate) const PROGRAMS: [&str; 2] = ["countersign", "countersign-ceremony"];

/// A folder, and the variables that commands run in it get.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
    variables: Vec<(String, OsString)>,
}

/// What a run came to.
pub(crate) struct Run {
    pub(crate) line: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Desk {
    /// The variables of this process that lead to real back ends go along; nothing else does.
    pub(crate) fn new() -> Self {
        let along = ["PATH", "SOFTHSM2_CONF", "SHIM_REAL", "SHIM_FOLDER"];
        let found = along.map(|name| (name.to_owned(), std::env::var_os(name)));
        let variables = found.into_iter();
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: variables
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt as _;

        std::fs::write(self.at(name), content).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.at(name), mode).unwrap();
    }

    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        let value = value.as_ref().to_owned();
        self.variables.push((name.to_owned(), value));
    }

    /// A program with the words of `line`.
    pub(crate) fn command(&self, name: &str, line: &str) -> Command {
        let mut command = Command::new(program(name));
        command
            .args(line.split_whitespace())
            .current_dir(self.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, name: &str, line: &str) -> Run {
        let output = self.command(name, line).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run {
            line: format!("{name} {line}"),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs what has to succeed; what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, name: &str, line: &str) -> String {
        self.run(name, line).expect(0).stdout
    }

    /// Runs what has to succeed and reports in JSON.
    #[track_caller]
    pub(crate) fn json(&self, name: &str, line: &str) -> Value {
        let printed = self.ok(name, &format!("{line} --json"));
        serde_json::from_str(&printed).unwrap()
    }

    /// Writes a root, not signed, in which the key is one of role `root` alone.
    pub(crate) fn write_root(&self, name: &str, key: &Value) {
        let id = key["keyid"].as_str().unwrap();
        let listed: Value = serde_json::from_str(key["key"].as_str().unwrap()).unwrap();
        let mine = json!({ "keyids": [id], "threshold": 1 });
        let other = json!({ "keyids": ["other"], "threshold": 1 });
        let key = json!({
            "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": "07".repeat(32) },
        });
        let root = json!({
            "_type": "root", "spec_version": "1.0.34", "version": 1, "consistent_snapshot": true,
            "expires": "2100-01-01T00:00:00Z",
            "keys": { id: listed, "other": key },
            "roles": { "root": mine, "targets": other, "snapshot": other, "timestamp": other },
        });
        let file = json!({ "signatures": [], "signed": root });
        std::fs::write(self.at(name), file.to_string()).unwrap();
    }

    /// Writes targets, not signed, that delegate `bins` to the key.
    pub(crate) fn write_targets(&self, name: &str, key: &Value) {
        let id = key["keyid"].as_str().unwrap();
        let listed: Value = serde_json::from_str(key["key"].as_str().unwrap()).unwrap();
        let bins = json!({
            "name": "bins", "keyids": [id], "threshold": 1, "terminating": false,
            "paths": ["packages/*/*/*"],
        });
        let targets = json!({
            "_type": "targets", "spec_version": "1.0.34", "version": 1,
            "expires": "2100-01-01T00:00:00Z", "targets": {},
            "delegations": { "keys": { id: listed }, "roles": [bins] },
        });
        let file = json!({ "signatures": [], "signed": targets });
        std::fs::write(self.at(name), file.to_string()).unwrap();
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        let Self {
            line,
            stdout,
            stderr,
            ..
        } = &self;
        assert_eq!(self.code, Some(code), "{line}\n{stdout}\n{stderr}");
        self
    }

    /// A look for lines on stderr.
    #[track_caller]
    pub(crate) fn says(self, lines: &[&str]) -> Self {
        for line in lines {
            assert!(self.stderr.contains(line), "{line}: {}", self.stderr);
        }
        self
    }
}
