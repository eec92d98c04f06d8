//! `ssh-agent:` with OpenSSH's own agent.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_keys::{AgentError, KeyError, KeyUri, LoadOptions, NoPassphrase, SignatureCheck};

use crate::common::{open, run, tool};
use crate::formats::assert_verifies_in_python;

/// A running ssh-agent, ended with the test.
struct Agent {
    process: Child,
    folder: tempfile::TempDir,
}

impl Agent {
    fn start() -> Self {
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

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Makes a key with ssh-keygen and adds it; returns its fingerprint.
    fn add(&self, key_type: &str, name: &str, comment: &str) -> String {
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
    fn ssh_add(&self, args: &[&str]) {
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

pub(crate) fn options(socket: &Path) -> LoadOptions<'_> {
    LoadOptions {
        agent_socket: Some(socket),
        timeout: Duration::from_secs(5),
        ..LoadOptions::default()
    }
}

pub(crate) fn error_of(uri: &str, options: LoadOptions) -> AgentError {
    let uri: KeyUri = uri.parse().unwrap();
    match uri.open(&NoPassphrase, options).err() {
        Some(KeyError::Agent { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_sign_by_fingerprint_and_by_comment() {
    let agent = Agent::start();
    let socket = agent.socket();
    for (key_type, keytype) in [("ed25519", "ed25519"), ("ecdsa", "ecdsa")] {
        let comment = format!("the {keytype} key @ desk");
        let fingerprint = agent.add(key_type, key_type, &comment);
        for uri in [
            format!("ssh-agent:{fingerprint}"),
            format!("ssh-agent:{comment}"),
        ] {
            let signer = open(&uri, options(&socket)).signer;
            assert_eq!(signer.public_key().keytype(), keytype);
            assert_eq!(signer.describe(), uri);
            let check = SignatureCheck::new(signer.public_key()).unwrap();
            // The last is as long as OpenSSH takes with an Ed25519 blob of 51 bytes.
            for length in [0, 1, 87_000, 256 * 1024 - 13 - 104] {
                let message = vec![b'x'; length];
                let signature = signer.sign(&message).unwrap();
                assert_eq!(&signature.keyid, signer.key_id());
                assert!(check.verifies(&message, &signature.bytes));
            }
            assert_verifies_in_python(&*signer);
        }
    }
}

#[test]
fn documents_too_long_for_an_agent_are_refused_and_the_next_one_signs() {
    let agent = Agent::start();
    let fingerprint = agent.add("ed25519", "k", "k");
    let socket = agent.socket();
    let signer = open(&format!("ssh-agent:{fingerprint}"), options(&socket)).signer;
    match signer.sign(&vec![0; 256 * 1024]) {
        Err(KeyError::Agent {
            source: AgentError::Document { length, limit },
            ..
        }) => assert_eq!((length, limit), (262_144, 262_144 - 13 - 51)),
        other => panic!("{other:?}"),
    }
    signer.sign(b"short").unwrap();
}

#[test]
fn says_which_key_is_meant_or_missing() {
    let agent = Agent::start();
    let socket = agent.socket();
    let first = agent.add("ed25519", "one", "twin");
    let second = agent.add("ed25519", "two", "twin");
    match error_of("ssh-agent:twin", options(&socket)) {
        AgentError::Ambiguous { fingerprints } => assert_eq!(fingerprints, [first, second]),
        other => panic!("{other:?}"),
    }
    let error = error_of("ssh-agent:nobody", options(&socket));
    assert!(
        matches!(error, AgentError::NotFound { held: 2 }),
        "{error:?}"
    );
    agent.add("rsa", "rsa", "rsa");
    let error = error_of("ssh-agent:rsa", options(&socket));
    assert!(matches!(&error, AgentError::Algorithm { algorithm } if algorithm == "ssh-rsa"));
    agent.ssh_add(&["-D"]);
    let error = error_of("ssh-agent:twin", options(&socket));
    assert!(
        matches!(error, AgentError::NotFound { held: 0 }),
        "{error:?}"
    );
}

#[test]
fn a_locked_agent_and_a_removed_key_refuse() {
    let agent = Agent::start();
    let socket = agent.socket();
    agent.add("ed25519", "k", "k");
    let signer = open("ssh-agent:k", options(&socket)).signer;
    let refuses = || match signer.sign(b"m").err() {
        None => false,
        Some(KeyError::Agent {
            source: AgentError::Refused,
            ..
        }) => true,
        other => panic!("{other:?}"),
    };
    assert!(!refuses());
    agent.ssh_add(&["-x"]);
    assert!(refuses());
    agent.ssh_add(&["-X"]);
    assert!(!refuses());
    agent.ssh_add(&["-D"]);
    assert!(refuses());
}

#[test]
fn an_agent_started_anew_is_found_again() {
    let mut agent = Agent::start();
    agent.add("ed25519", "k", "k");
    let socket = agent.socket();
    let signer = open("ssh-agent:k", options(&socket)).signer;
    signer.sign(b"m").unwrap();
    agent.process.kill().unwrap();
    agent.process.wait().unwrap();
    assert!(signer.sign(b"m").is_err());
    std::fs::remove_file(&socket).unwrap();
    let again = Agent::start();
    std::os::unix::fs::symlink(again.socket(), &socket).unwrap();
    again.ssh_add(&[agent.folder.path().join("k").to_str().unwrap()]);
    signer.sign(b"m").unwrap();
}

#[test]
fn no_agent_is_an_error() {
    let none = error_of("ssh-agent:k", LoadOptions::default());
    let missing = error_of("ssh-agent:k", options(Path::new("/nonexistent")));
    assert!(matches!(
        (none, missing),
        (AgentError::NoSocket, AgentError::Connect { .. })
    ));
}
