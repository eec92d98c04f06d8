//! A real index server of somebody else's, which signs nothing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use countersign_tests::environment::{Server, clean_command, free_port, prepared, said};
use tempfile::TempDir;

/// pypiserver, and the folder in which it keeps what it is sent.
pub(crate) struct Pypiserver {
    pub(crate) folder: TempDir,
    pub(crate) server: Server,
}

impl Pypiserver {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(prepared("venv/bin/python"));
        command
            .args(["-m", "pypiserver", "run", "-i", "127.0.0.1", "-p"])
            .arg(port.to_string())
            // Whoever reaches it may upload: it is for this test alone.
            .args(["-P", ".", "-a", "."])
            .arg(folder.path())
            .env("PYTHONPATH", prepared("upstreams/pypiserver"));
        let server = Server::start(command, port);
        Self { folder, server }
    }

    /// Uploads files as their developers would.
    pub(crate) fn upload(&self, files: &[PathBuf]) {
        let home = tempfile::tempdir().unwrap();
        let mut command = clean_command(prepared("venv/bin/uv"), home.path());
        command
            .args(["publish", "--publish-url", &self.server.url("")])
            .args(["--username", "developer", "--password", "any"])
            .args(files);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        for file in files {
            let kept = self.folder.path().join(file.file_name().unwrap());
            if !kept.exists() {
                // Of a name as it was usual once: uv uploads no such file, others have.
                assert!(
                    said(&output).contains("non-normalized"),
                    "{}",
                    said(&output)
                );
                fs::copy(file, kept).unwrap();
            }
        }
    }
}
