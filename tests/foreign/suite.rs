//! The real program as the TUF conformance suite runs it: a repository that python-tuf wrote as the suite
//! does, plain HTTP/1.0 on loopback, exit codes, and a clock that is moved under the program between two
//! commands.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use countersign_tests::environment::{Server, clean_command, prepared, program, said};
use countersign_tests::preload::{CLOCK_MOVED_BY, moved_clock};

/// A second, and a day, in milliseconds.
const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;

struct Suite {
    folder: tempfile::TempDir,
    server: Server,
    clock: PathBuf,
}

impl Suite {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["served", "md", "td"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let made = folder.path().join("served");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("readers/python_tuf_writes.py");
        let mut command = clean_command(prepared("venv/bin/python"), folder.path());
        let written = command.arg(script).arg(&made).output().unwrap();
        assert!(written.status.success(), "{}", said(&written));
        let server = Server::of_folder(&made);
        let clock = moved_clock(folder.path());
        Self {
            folder,
            server,
            clock,
        }
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Runs `countersign client WORDS` on a clock moved by so many milliseconds: its exit code and what it
    /// said.
    fn run_at(&self, moved: i64, words: &[&str]) -> (Option<i32>, String) {
        let mut command = clean_command(program("countersign"), self.folder.path());
        command.current_dir(self.folder.path());
        command.env("LD_PRELOAD", &self.clock);
        command.env(CLOCK_MOVED_BY, moved.to_string());
        let output = command.arg("client").args(words).output().unwrap();
        (output.status.code(), said(&output))
    }

    #[track_caller]
    fn run(&self, words: &[&str], code: i32) -> String {
        let (ended, words) = self.run_at(0, words);
        assert_eq!(ended, Some(code), "{words}");
        words
    }

    fn init(&self) {
        let root = self.at("served/metadata/1.root.json");
        self.run(&["--metadata-dir", "md", "init", &root], 0);
    }

    /// The names in the metadata folder that end in `.json`.
    fn kept(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.at("md")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let is_json = |name: &String| Path::new(name).extension().is_some_and(|it| it == "json");
        names.filter(is_json).collect()
    }
}

#[test]
fn a_repository_of_the_suites_making_is_read_over_http_1_0() {
    let suite = Suite::new();
    let metadata = suite.server.url("metadata");
    let address = metadata.split('/').nth(2).unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    let request = "GET /metadata/1.root.json HTTP/1.0\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    for said in ["\"spec_version\": \"1.0.31\"", "ecdsa-sha2-nistp256", "\n "] {
        assert!(answer.contains(said), "{said} is not in {answer}");
    }

    suite.init();
    let targets = suite.server.url("targets");
    // With a final slash and without.
    for end in ["", "/"] {
        let (metadata, targets) = (format!("{metadata}{end}"), format!("{targets}{end}"));
        let at = ["--metadata-url", &metadata, "--metadata-dir", "md"];
        suite.run(&[&at[..], &["refresh"]].concat(), 0);
        let wanted = [
            "--target-name",
            "plain.txt",
            "--target-name",
            "dir/file.txt",
        ];
        let into = [
            "--target-dir",
            "td",
            "--target-base-url",
            &targets,
            "download",
        ];
        suite.run(&[&at[..], &wanted, &into].concat(), 0);
        // The name of each file in the folder, and the path that the server has it under.
        let served = [
            ("odd%2Frole%3F.json", "1.odd/role?.json"),
            ("root.json", "1.root.json"),
            ("snapshot.json", "1.snapshot.json"),
            ("targets.json", "1.targets.json"),
            ("timestamp.json", "timestamp.json"),
        ];
        let names = served.map(|(name, _)| name.to_owned());
        assert_eq!(suite.kept(), BTreeSet::from(names));
        for (name, path) in served {
            let served = fs::read(suite.at(&format!("served/metadata/{path}")));
            let kept = fs::read(suite.at(&format!("md/{name}"))).unwrap();
            assert!(kept == served.unwrap(), "{name} is not the bytes as served");
        }
        let log = suite.server.log();
        assert!(log.contains("GET /metadata/1.odd%2Frole%3F.json"), "{log}");
        let files = fs::read_dir(suite.at("td")).unwrap();
        let contents = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        let contents: BTreeSet<_> = contents.collect();
        let both = ["plain.txt", "dir/file.txt"].map(str::to_owned);
        assert_eq!(contents, BTreeSet::from(both));
    }
}

/// A panic, or the exit code of a usage error, would be a failure of the suite.
#[test]
fn whatever_goes_wrong_ends_with_1() {
    let suite = Suite::new();
    suite.init();
    let url = suite.server.url("metadata/");
    let (root, closed) = (
        suite.at("served/metadata/1.root.json"),
        "http://127.0.0.1:1/",
    );
    fs::write(suite.at("noise"), [0xff; 100]).unwrap();
    let at = ["--metadata-dir", "md", "--metadata-url", &url];
    let download = |words: &[&'static str]| [&at[..], words, &["download"]].concat();
    let wrong: [&[&str]; 17] = [
        &["--metadata-dir"],
        &["--metadata-dir", "md"],
        &["--metadata-dir", "md", "dance"],
        &["--metadata-dir", "md", "--dance", "fast", "refresh"],
        &["--metadata-dir", "md", "init"],
        &["--metadata-dir", "md", "init", "nowhere"],
        &["--metadata-dir", "md", "init", "td"],
        &["--metadata-dir", "md", "init", "noise"],
        &["--metadata-dir", "md", "init", &root, "and more"],
        &["--metadata-dir", "noise", "init", &root],
        &["--metadata-dir", "md", "refresh"],
        &["--metadata-url", &url, "refresh"],
        &[
            "--metadata-dir",
            "md",
            "--metadata-url",
            "no URL",
            "refresh",
        ],
        &[
            "--metadata-dir",
            "md",
            "--metadata-url",
            "ftp://127.0.0.1/",
            "refresh",
        ],
        &["--metadata-dir", "md", "--metadata-url", closed, "refresh"],
        &download(&["--target-name", "plain.txt"]),
        &download(&[
            "--target-name",
            "",
            "--target-dir",
            "td",
            "--target-base-url",
            "x:",
        ]),
    ];
    for words in wrong {
        suite.run(words, 1);
    }
}

/// The suite moves the clock with a library as this one: a program that is linked to the system's C library
/// follows it. Between two commands time may step back a little, which is no attack.
#[test]
fn the_programs_clock_can_be_moved() {
    let suite = Suite::new();
    suite.init();
    let url = suite.server.url("metadata/");
    let refresh = ["--metadata-dir", "md", "--metadata-url", &url, "refresh"];
    for (moved, code) in [
        (0, 0),
        (-3 * SECOND, 0),
        (29 * DAY, 0),
        (31 * DAY, 1),
        (0, 0),
    ] {
        let (ended, words) = suite.run_at(moved, &refresh);
        assert_eq!(ended, Some(code), "moved by {moved} ms: {words}");
        assert!(code == 0 || words.contains("expired"), "{words}");
    }
}
