//! The same attempts against python-tuf: one process that takes a repository a line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use chrono::{DateTime, SecondsFormat, Utc};
use countersign_tests::Simulator;
use countersign_tests::environment::{clean_command, prepared};
use countersign_tests::files;
use metadata::Sha256;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::attacker::Publication;
use crate::layouts::{EVIL, Goal};
use crate::rows::Row;
use crate::strategies::{Attempt, attempts, keep_alive, mixed};

/// python-tuf, started.
pub(crate) struct PythonTuf {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    home: TempDir,
    runs: usize,
}

impl PythonTuf {
    pub(crate) fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("readers/python_tuf_lines.py");
        let mut command: Command = clean_command(prepared("venv/bin/python"), home.path());
        let mut child = command
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            home,
            runs: 0,
        }
    }

    /// A work folder that trusts the repository's first root.
    pub(crate) fn fresh(&mut self, repository: &Simulator) -> std::path::PathBuf {
        self.runs += 1;
        let work = self.home.path().join(self.runs.to_string());
        std::fs::create_dir(&work).unwrap();
        std::fs::write(work.join("root.json"), repository.archived("root", 1)).unwrap();
        work
    }

    /// Refreshes and, if a path is named, downloads; what it says.
    async fn read(
        &mut self,
        repository: &Simulator,
        work: &Path,
        at: DateTime<Utc>,
        path: Option<&str>,
    ) -> Value {
        let listening = repository.server().listen().await;
        let job = json!({
            "metadata": listening.metadata_url().as_str(),
            "targets": listening.targets_url().as_str(),
            "work": work,
            "at": at.to_rfc3339_opts(SecondsFormat::Secs, true),
            "path": path,
        });
        tokio::task::block_in_place(|| {
            writeln!(self.input, "{job}").unwrap();
            self.input.flush().unwrap();
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
        })
    }

    /// The first attempt that makes it take the evil file.
    pub(crate) async fn malicious(
        &mut self,
        row: &Row,
        stolen: &[&str],
        goal: Goal,
    ) -> Option<Attempt> {
        let evil = Sha256::of(EVIL).to_string();
        for attempt in attempts(row.layout, goal) {
            // What a client knows already matters where versions go on.
            if attempt.warm && attempt.publication != Publication::New {
                continue;
            }
            let mut repository = row.layout.repository();
            let work = self.fresh(&repository);
            if attempt.warm {
                let path = Some(goal.path());
                let honest = self.read(&repository, &work, repository.now, path).await;
                assert_eq!(honest["error"], Value::Null, "{honest}");
            }
            attempt.make(goal, stolen, &mut repository);
            let said = self
                .read(&repository, &work, repository.now, Some(goal.path()))
                .await;
            if said["sha256"] == evil {
                return Some(attempt);
            }
        }
        None
    }

    /// Whether it takes the evil file, with what is trusted in `work`.
    pub(crate) async fn takes_evil(
        &mut self,
        repository: &Simulator,
        work: &Path,
        path: &str,
    ) -> bool {
        let said = self
            .read(repository, work, repository.now, Some(path))
            .await;
        said["sha256"] == Sha256::of(EVIL).to_string()
    }

    /// The digest of what it takes, with what is trusted in `work`.
    pub(crate) async fn takes(
        &mut self,
        repository: &Simulator,
        work: &Path,
        path: &str,
    ) -> Option<Sha256> {
        let at = repository.now;
        let said = self.read(repository, work, at, Some(path)).await;
        Some(Sha256::parse(said["sha256"].as_str()?).unwrap())
    }

    pub(crate) async fn freeze(&mut self, row: &Row, stolen: &[&str], days: i64) -> bool {
        let mut repository = row.layout.repository();
        keep_alive(&mut repository, stolen, days);
        let work = self.fresh(&repository);
        let said = self.read(&repository, &work, repository.now, None).await;
        said["error"].is_null()
    }

    pub(crate) async fn inconsistency(&mut self, row: &Row, stolen: &[&str]) -> bool {
        for how in Publication::ALL {
            let (repository, bin) = mixed(row, stolen, how);
            let work = self.fresh(&repository);
            let said = self
                .read(&repository, &work, repository.now, Some(files::PLAIN))
                .await;
            if said["error"].is_null() && said["versions"][&bin] == 1 {
                return true;
            }
        }
        false
    }
}

impl Drop for PythonTuf {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
