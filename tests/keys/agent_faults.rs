//! `ssh-agent:` with agents that hang, lie or send what nobody asked for.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use keys::{AgentError, KeyError, LoadOptions};

use crate::agent::{error_of, options};
use crate::common::open;

/// An agent that answers every request with the same bytes, or not at all.
fn false_agent(answer: Option<Vec<u8>>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 5];
            if let (Some(answer), Ok(())) = (&answer, stream.read_exact(&mut request)) {
                let _ = stream.write_all(answer);
            } else {
                kept.push(stream);
            }
        }
    });
    (folder, socket)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

/// An `IDENTITIES_ANSWER` with one key of this blob.
fn identities(blob: &[u8]) -> Vec<u8> {
    string(&[&[12, 0, 0, 0, 1], &string(blob)[..], &string(b"k")].concat())
}

#[test]
fn agents_that_lie_or_hang_are_typed_errors() {
    let error = |answer: Option<Vec<u8>>| {
        let (_folder, socket) = false_agent(answer);
        let short = LoadOptions {
            timeout: Duration::from_millis(300),
            ..options(&socket)
        };
        let started = Instant::now();
        let error = error_of("ssh-agent:k", short);
        assert!(started.elapsed() < Duration::from_secs(3));
        error
    };
    assert!(matches!(error(None), AgentError::Timeout { .. }));
    assert!(matches!(error(Some(Vec::new())), AgentError::Io { .. }));
    assert!(matches!(error(Some(string(&[5]))), AgentError::Refused));
    assert!(matches!(
        error(Some(string(&[12, 255, 255, 255, 255]))),
        AgentError::Malformed
    ));
    assert!(matches!(error(Some(string(&[99]))), AgentError::Malformed));
    let flood = error(Some((1u32 << 30).to_be_bytes().to_vec()));
    assert!(matches!(flood, AgentError::TooLong { length, .. } if length == 1 << 30));
    let torn = string(b"ssh-ed25519");
    assert!(matches!(
        error(Some(identities(&torn))),
        AgentError::Malformed
    ));
    // A FIDO security key: what it signs is not the message.
    let name = "sk-ssh-ed25519@openssh.com";
    let key = [string(name.as_bytes()), string(&[7; 32]), string(b"ssh:")].concat();
    let refused = error(Some(identities(&key)));
    assert!(matches!(&refused, AgentError::SecurityKey { algorithm } if algorithm == name));
}

/// A signature of another key, as a swapped or faulty agent would send it.
#[test]
fn signatures_are_verified_before_use() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let blob = [string(b"ssh-ed25519"), string(&[7; 32])].concat();
        let signature = [string(b"ssh-ed25519"), string(&[7; 64])].concat();
        let signed = string(&[&[14], &string(&signature)[..]].concat());
        let mut request = [0; 1024];
        for answer in [identities(&blob), signed] {
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    let signer = open("ssh-agent:k", options(&socket)).signer;
    let error = signer.sign(b"message").unwrap_err();
    assert!(matches!(error, KeyError::BadSignature { .. }), "{error:?}");
}
