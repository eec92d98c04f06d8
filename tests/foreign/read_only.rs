//! A datastore that must not be written: the real program, as a user who may only read it, ends with the reason and
//! changes nothing; and goes on where it was when it may write again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign_tests::environment::{clean_command, program, said};
use countersign_tests::simulator::Listening;
use countersign_tests::{Bend, Simulator};

/// Nobody, where the tests run as somebody whom no permission stops.
const NOBODY: u32 = 65_534;

fn may(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

struct Reader {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Reader {
    /// A program and a datastore that everybody may reach.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        may(folder.path(), 0o755);
        let copy = folder.path().join("countersign");
        fs::copy(program("countersign"), &copy).unwrap();
        fs::create_dir(folder.path().join("md")).unwrap();
        Self {
            folder,
            program: copy,
        }
    }

    fn datastore(&self) -> PathBuf {
        self.folder.path().join("md")
    }

    fn command(&self) -> Command {
        clean_command(&self.program, self.folder.path())
    }

    /// Runs `client COMMAND` as the suite of the TUF project does.
    fn run(&self, mut command: Command, listening: &Listening, words: &[&str]) -> Output {
        let url = listening.metadata_url().to_string();
        command.args(["client", "--metadata-url", &url, "--metadata-dir"]);
        command.arg(self.datastore()).args(words).output().unwrap()
    }

    fn as_nobody(&self) -> Command {
        let mut command = self.command();
        if fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
        {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(self.datastore()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datastore_that_must_not_be_written() {
    let mut repository = Simulator::standard();
    let listening = repository.server().listen().await;
    let reader = Reader::new();
    let root = reader.folder.path().join("root.json");
    fs::write(&root, repository.archived("root", 1)).unwrap();
    let root = root.to_str().unwrap();
    let done = reader.run(reader.command(), &listening, &["init", root]);
    assert!(done.status.success(), "{}", said(&done));
    repository.publish();
    let done = reader.run(reader.command(), &listening, &["refresh"]);
    assert!(done.status.success(), "{}", said(&done));

    repository.publish();
    let before = reader.content();
    for path in before.keys() {
        may(path, 0o444);
    }
    may(&reader.datastore(), 0o555);
    let refused = reader.run(reader.as_nobody(), &listening, &["refresh"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let words = said(&refused);
    assert!(words.contains("ermission denied"), "{words}");
    assert!(
        words.contains(reader.datastore().to_str().unwrap()),
        "{words}"
    );
    assert_eq!(reader.content(), before);

    // When it may be written again, what was seen still counts, and what is new is taken.
    may(&reader.datastore(), 0o755);
    for path in before.keys() {
        may(path, 0o644);
    }
    let old = repository.archived("timestamp", 1);
    repository
        .server()
        .bend("metadata/timestamp.json", Bend::replaced(old));
    let rollback = reader.run(reader.command(), &listening, &["refresh"]);
    assert_eq!(rollback.status.code(), Some(1), "{}", said(&rollback));
    assert_eq!(reader.content(), before);
    repository.server().unbend();
    let done = reader.run(reader.command(), &listening, &["refresh"]);
    assert!(done.status.success(), "{}", said(&done));
    assert_ne!(reader.content(), before);
}
