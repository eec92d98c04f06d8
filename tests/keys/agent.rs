//! `ssh-agent:` with OpenSSH's own agent.

use std::path::Path;
use std::time::Duration;

use keys::{
    AgentError, KeyError, KeyUri, LoadOptions, NoPassphrase, SignatureCheck, list_agent_keys,
};

use crate::common::{assert_verifies_in_python, open};
use crate::ssh_agent::Agent;

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
fn lists_what_the_agent_holds() {
    let agent = Agent::start();
    let socket = agent.socket();
    let listed = || list_agent_keys(Some(&socket), Duration::from_secs(5)).unwrap();
    assert_eq!(listed(), []);
    let fingerprint = agent.add("ed25519", "ed", "at the desk");
    agent.add("rsa", "rsa", "no metadata knows it");
    let held = listed();
    let uri = KeyUri::SshAgent(held[0].name.clone()).to_string();
    assert_eq!(uri, format!("ssh-agent:{fingerprint}"));
    let signer = open(&uri, options(&socket)).signer;
    assert_eq!(held[0].public.as_ref(), Some(signer.public_key()));
    assert_eq!(held[0].comment, "at the desk");
    assert_eq!(
        (held[1].algorithm.as_str(), &held[1].public),
        ("ssh-rsa", &None)
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
