//! Who runs an index by the shipped program alone, as its help tells: `quickstart`, then `index` and
//! `online` commands, and `serve`.

use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::environment::{Server, clean_command, free_port, program, said};
use tempfile::TempDir;

use crate::machine::Machine;

/// An index in a folder of its own.
pub(crate) struct Operator {
    home: TempDir,
}

impl Operator {
    /// Signs and publishes the files of a folder.
    pub(crate) fn of(folder: &Path) -> Self {
        let operator = Self {
            home: tempfile::tempdir().unwrap(),
        };
        let folder = folder.to_str().unwrap();
        operator.run(&["quickstart", "--once", "--port", "0", folder]);
        operator
    }

    /// Runs a command, which must end well; what it said.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        said(&output)
    }

    /// A command, not started yet.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = clean_command(program("countersign"), self.home.path());
        command.args(words).current_dir(self.home.path());
        command
    }

    /// Publishes what waits.
    pub(crate) fn publish(&self) {
        self.run(&["online", "tick", "--at-once"]);
    }

    /// Serves the repository.
    pub(crate) fn serve(&self) -> Server {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        Server::start(self.command(&["serve", "--listen", &address]), port)
    }

    /// A machine that trusts the index.
    pub(crate) fn machine(&self, server: &Server) -> Machine {
        Machine::trusting(&server.url(""), &self.root(), &[])
    }

    /// The file to trust.
    fn root(&self) -> PathBuf {
        let data = self.home.path().join("countersign-data");
        data.join("ceremony/publish-set/1.root.json")
    }
}
