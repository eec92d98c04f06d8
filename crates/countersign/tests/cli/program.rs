//! Runs the program in a folder of its own, with an environment of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// A folder in which commands are run.
pub(crate) struct Place(TempDir);

/// What a run came to.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// A folder in which `quickstart --once` has been run. It is run once for all tests; what it made
    /// may be copied, since its settings name everything relative to it.
    pub(crate) fn after_quickstart() -> Self {
        static MADE: OnceLock<Place> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            let place = Self::new();
            place.run("quickstart --once --port 0").expect_code(0);
            place
        });
        let place = Self::new();
        copy(&made.at("countersign-data"), &place.at("countersign-data"));
        place
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The URL of a folder here.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("file://{}/", self.at(name).display())
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("the file is written");
    }

    /// A run of the words of `line`.
    pub(crate) fn run(&self, line: &str) -> Run {
        self.run_with(line, &[])
    }

    /// The same with some variables set.
    pub(crate) fn run_with(&self, line: &str, variables: &[(&str, &OsStr)]) -> Run {
        let mut command = self.command(line);
        command.envs(variables.iter().copied());
        Run::from(command.output().expect("the program runs"))
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null());
        command
    }

    /// Starts a command that serves; returns once it has printed a line with `ready`.
    pub(crate) fn serve(&self, line: &str, ready: &str) -> Served {
        self.start(line, ready, Stdio::piped())
    }

    /// The same with its log in a file.
    pub(crate) fn serve_logging(&self, line: &str, ready: &str, log: fs::File) -> Served {
        self.start(line, ready, log.into())
    }

    fn start(&self, line: &str, ready: &str, stderr: Stdio) -> Served {
        let mut child = self
            .command(line)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut printed = String::new();
        while !printed.contains(ready) {
            let read = stdout.read_line(&mut printed).expect("text");
            if read == 0 {
                let mut stderr = String::new();
                if let Some(mut pipe) = child.stderr.take() {
                    pipe.read_to_string(&mut stderr).expect("text");
                }
                panic!("it ended before it was ready: {printed}{stderr}");
            }
        }
        Served {
            child,
            printed,
            _stdout: stdout,
        }
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

impl Run {
    /// The run, after a look at its exit code.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "stdout: {stdout}\nstderr: {stderr}");
        self
    }

    /// The run, after a look for some text on stdout or stderr.
    #[track_caller]
    pub(crate) fn expect_text(self, text: &str) -> Self {
        let Self { stdout, stderr, .. } = &self;
        let said = stdout.contains(text) || stderr.contains(text);
        assert!(
            said,
            "{text:?} is not in\nstdout: {stdout}\nstderr: {stderr}"
        );
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A server under way; killed when dropped.
pub(crate) struct Served {
    child: Child,
    /// What it had printed when it was ready.
    pub(crate) printed: String,
    _stdout: BufReader<ChildStdout>,
}

impl Served {
    /// The URL that begins with `http://` after `label` in what it printed, without a final slash.
    pub(crate) fn url(&self, label: &str) -> String {
        let (_, after) = self.printed.split_once(label).expect("the label");
        let start = after.find("http://").expect("a URL");
        let url: &str = after[start..]
            .split([' ', ',', '\n'])
            .next()
            .expect("a URL");
        url.trim_end_matches('/').to_owned()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("it runs");
    }

    /// Sends a signal and waits for the end; its exit code.
    pub(crate) fn end(mut self, signal: rustix::process::Signal) -> Option<i32> {
        self.signal(signal);
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already where the test has seen to it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Every file below a folder with its bytes, in order.
pub(crate) fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                out.push((path.clone(), fs::read(path).expect("a file")));
            }
        }
    }
    out.sort();
    out
}
