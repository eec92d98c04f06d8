//! OpenSSH's own agent, in a folder of its own.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{run, tool};

/// A running ssh-agent, ended with the test.
pub(crate) struct Agent {
    pub(crate) process: Child,
    pub(crate) folder: tempfile::TempDir,
}

impl Agent {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new(tool("ssh-agent"))
            .arg("-D")
            .arg("-a")
            .arg(folder.path().join("socket"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self { process, folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while UnixStream::connect(agent.socket()).is_err() {
            assert!(Instant::now() < deadline, "the agent does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        agent
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Makes a key with ssh-keygen and adds it; returns its fingerprint.
    pub(crate) fn add(&self, key_type: &str, name: &str, comment: &str) -> String {
        let path = self.folder.path().join(name);
        let file = path.to_str().unwrap();
        run(
            &tool("ssh-keygen"),
            &["-q", "-t", key_type, "-N", "", "-C", comment, "-f", file],
        );
        self.ssh_add(&[file]);
        let listed = run(&tool("ssh-keygen"), &["-l", "-f", file]);
        listed.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// Whoever is asked for a passphrase here says `lock`.
    pub(crate) fn ssh_add(&self, args: &[&str]) {
        let answers = self.folder.path().join("askpass");
        std::fs::write(&answers, "#!/bin/sh\necho lock\n").unwrap();
        std::fs::set_permissions(&answers, Permissions::from_mode(0o700)).unwrap();
        let status = Command::new(tool("ssh-add"))
            .args(args)
            .env("SSH_AUTH_SOCK", self.socket())
            .env("SSH_ASKPASS", answers)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{args:?}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
