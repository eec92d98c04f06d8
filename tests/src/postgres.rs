//! A real PostgreSQL server for one test, from the data folder that `tests/run` has prepared.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};

/// The user of the prepared data folder, and its password.
pub const USER: &str = "index";
/// The password of [`USER`].
pub const PASSWORD: &str = "of the tests alone";

/// Whom PostgreSQL runs as where the tests run as root, which it refuses: nobody.
const NOBODY: u32 = 65_534;

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with a data folder of its own; ends with the value.
pub struct PostgresServer {
    folder: tempfile::TempDir,
    program: PathBuf,
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

impl PostgresServer {
    /// Starts one, on a free port of this machine alone.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[], |_| {})
    }

    /// Starts a server and another that follows it: what the first acknowledges, the second has.
    #[must_use]
    pub fn start_pair() -> [Self; 2] {
        let first = Self::start_with(&["synchronous_standby_names=second"], |_| {});
        let follow = format!(
            "primary_conninfo=host=127.0.0.1 port={} user={USER} password='{PASSWORD}' application_name=second",
            first.port
        );
        let second = Self::start_with(&[&follow], |data| {
            std::fs::write(data.join("standby.signal"), "").unwrap();
        });
        [first, second]
    }

    /// The same as [`Self::start`] with settings of the caller's, once `prepare` has put what they name into
    /// the data folder.
    #[must_use]
    pub fn start_with(settings: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let prepared = prepared();
        let folder = tempfile::Builder::new()
            .prefix("countersign-postgres-")
            .tempdir_in("/tmp")
            .unwrap();
        let copied = Command::new("cp")
            .arg("-R")
            .arg(prepared.join("data"))
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(copied.success(), "the prepared data folder is copied");
        prepare(&folder.path().join("data"));
        if getuid().is_root() {
            give_to_nobody(folder.path());
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = port.local_addr().unwrap().port();
        let mut server = Self {
            folder,
            program: prepared.join("bin/postgres"),
            port,
            options: settings.iter().map(|&one| one.to_owned()).collect(),
            child: None,
        };
        server.run();
        server
    }

    /// The address of a database, without the password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A connection of the test's own.
    #[must_use]
    pub fn connect(&self, database: &str) -> postgres::Client {
        let since = Instant::now();
        loop {
            let mut config: postgres::Config = self.url(database).parse().unwrap();
            match config.password(PASSWORD).connect(postgres::NoTls) {
                Ok(client) => return client,
                Err(error) => assert!(since.elapsed() < PATIENCE, "{error}: {:?}", error.code()),
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes an empty database and returns its address.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        let mut client = self.connect("postgres");
        client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .unwrap();
        self.url(name)
    }

    /// Breaks every connection to a database but the one that does it.
    pub fn break_connections(&self, database: &str) {
        let mut client = self.connect("postgres");
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        client.execute(sql, &[&database]).unwrap();
    }

    /// Stops the server in the middle of whatever it does, and starts it again on its data.
    pub fn restart(&mut self) {
        self.stop(Signal::QUIT);
        self.run();
    }

    /// Ends it in the middle of whatever it does, for good.
    pub fn end(mut self) {
        self.stop(Signal::QUIT);
    }

    /// Has one that follows another take its place.
    pub fn promote(&self) {
        let mut client = self.connect("postgres");
        let done = client.query_one("SELECT pg_promote()", &[]).unwrap();
        assert!(done.get::<_, bool>(0));
    }

    fn run(&mut self) {
        let mut command = Command::new(&self.program);
        command
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            // What survives a loss of power is not what these tests are about, but time is.
            .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
            .args(self.options.iter().flat_map(|one| ["-c", one]))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.path().join("log")).unwrap());
        if getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        self.child = Some(command.spawn().unwrap());
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            let log = || std::fs::read_to_string(self.folder.path().join("log"));
            assert!(ended.is_none(), "the server ended: {}", log().unwrap());
            assert!(since.elapsed() < PATIENCE, "the server does not answer");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self, how: Signal) {
        if let Some(mut child) = self.child.take() {
            let pid = Pid::from_child(&child);
            // It may have ended by itself.
            let _ = kill_process(pid, how);
            let _ = child.wait();
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop(Signal::QUIT);
    }
}

/// What `tests/run` has prepared: `bin/postgres` and a folder `data`.
fn prepared() -> PathBuf {
    let given = std::env::var_os("COUNTERSIGN_TEST_ENV").map(PathBuf::from);
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let beside = above.map(|folder| folder.join("tests/.env"));
    let found = given
        .into_iter()
        .chain(beside)
        .map(|env| env.join("postgres"));
    found
        .into_iter()
        .find(|folder| folder.join("data").exists())
        .expect("tests/.env/postgres is missing: run `python3 tests/run --setup-only`")
}

fn give_to_nobody(path: &Path) {
    std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give_to_nobody(&entry.unwrap().path());
        }
    }
}
