//! What the tests find on the machine: the environment that `tests/run` makes, the programs under
//! test, and child processes that end with the test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A file of `tests/.env`; fails with what to do where it is missing.
#[must_use]
pub fn prepared(path: &str) -> PathBuf {
    let base = std::env::var_os("COUNTERSIGN_TEST_ENV").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".env"),
        PathBuf::from,
    );
    let found = base.join(path);
    assert!(
        found.exists(),
        "{} is missing: run `python3 tests/run --setup-only`",
        found.display()
    );
    found
}

/// One of our programs.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("COUNTERSIGN_TEST_BIN").map_or_else(
        || {
            let test = std::env::current_exe().unwrap();
            test.ancestors().nth(2).unwrap().to_owned()
        },
        PathBuf::from,
    );
    let found = folder.join(name);
    assert!(
        found.exists(),
        "{} is missing: run `cargo build --bins`",
        found.display()
    );
    found
}

/// The project's own sample distributions.
#[must_use]
pub fn samples() -> Vec<PathBuf> {
    files_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/dist"))
}

/// `requests` with everything it needs, as downloaded from the registry.
#[must_use]
pub fn packages() -> Vec<PathBuf> {
    files_of(&prepared("packages"))
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// A command without the machine's installer settings, at home in `home`.
#[must_use]
pub fn clean_command(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let theirs = ["PIP_", "UV_", "VIRTUAL_ENV", "COUNTERSIGN_"];
        let proxies = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
        if theirs.iter().any(|start| text.starts_with(start))
            || proxies.contains(&text.to_ascii_lowercase().as_str())
        {
            command.env_remove(&name);
        }
    }
    command
        .env("HOME", home)
        .env("PIP_CONFIG_FILE", "/dev/null")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("UV_NO_CONFIG", "1")
        .env("UV_PYTHON_DOWNLOADS", "never")
        .env("UV_CACHE_DIR", home.join("uv-cache"))
        .stdin(Stdio::null());
    command
}

/// Everything a command wrote, stdout first.
#[must_use]
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// A loopback port nobody uses at this moment.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The most memory that a process has taken so far, in bytes; `None` if it has ended.
#[must_use]
pub fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// A server that ends with the test.
pub struct Server {
    child: Child,
    port: u16,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts a command that listens on `port` and waits until it does.
    #[must_use]
    pub fn start(mut command: Command, port: u16) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().unwrap();
        let sink = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = sink.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut server = Self { child, port, log };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = server.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the server ended with {ended:?}: {}",
                server.log()
            );
            assert!(
                Instant::now() < deadline,
                "nothing listens on {port}: {}",
                server.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Serves a folder with Python's own web server.
    #[must_use]
    pub fn of_folder(folder: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(prepared("venv/bin/python"));
        command.args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"]);
        command.arg(folder).arg(port.to_string());
        Self::start(command, port)
    }

    /// Its address with a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The most memory it has taken so far, in bytes.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        peak_memory(self.child.id()).expect("it runs")
    }

    /// What it wrote to stderr so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that has ended already needs no ending.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
