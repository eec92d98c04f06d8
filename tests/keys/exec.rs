//! `exec:` with children that keep to the protocol.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use keys::{ExecCommand, ExecError, LoadOptions, SignatureCheck, Signer};
use metadata::{UnverifiedSignature, VerifyingKey};

use crate::common::{PlainKey, assert_verifies_in_python, in_workspace, open, python};
use crate::exec_faults::open_error;

/// The URI of `child.py` with this behaviour.
pub(crate) fn child(behaviour: &str, key: &PlainKey) -> String {
    script(
        "tests/keys/child.py",
        &[behaviour, key.path().to_str().unwrap()],
    )
}

fn script(path: &str, args: &[&str]) -> String {
    let script = in_workspace(path);
    let args = [&[script.to_str().unwrap()], args].concat().join("&arg=");
    format!("exec:{}?arg={args}", python().display())
}

pub(crate) fn options() -> LoadOptions<'static> {
    LoadOptions {
        timeout: Duration::from_secs(20),
        ..LoadOptions::default()
    }
}

fn assert_signs(signer: &dyn Signer, keytype: &str) {
    assert_eq!(signer.public_key().keytype(), keytype);
    let check = SignatureCheck::new(signer.public_key()).unwrap();
    for message in [&b""[..], b"message", &vec![b'x'; 3_000_000]] {
        let signature = signer.sign(message).unwrap();
        assert_eq!(&signature.keyid, signer.key_id());
        assert!(check.verifies(message, &signature.bytes));
    }
    assert_verifies_in_python(signer);
}

#[test]
fn children_sign_payloads_and_digests() {
    for (kind, behaviours) in [
        ("ed25519", &["payload"][..]),
        ("ecdsa", &["payload", "digest"]),
        ("rsa", &["payload", "digest"]),
    ] {
        let key = PlainKey::make(kind);
        for behaviour in behaviours {
            let uri = child(behaviour, &key);
            let signer = open(&uri, options()).signer;
            assert_eq!(signer.describe(), uri);
            assert_signs(&*signer, kind);
        }
    }
}

/// The example that ships: Ed25519, P-256 and RSA-PSS through securesystemslib's `CryptoSigner`.
#[test]
fn the_example_reaches_securesystemslib() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let key = PlainKey::make(kind);
        let path = key.path();
        let path = path.to_str().unwrap();
        let args = [&format!("file2:{path}"), &format!("{path}.json")[..]];
        let uri = script("crates/keys/examples/securesystemslib_signer.py", &args);
        assert_signs(&*open(&uri, options()).signer, kind);
    }
}

#[test]
fn configured_commands_are_found_by_name() {
    let key = PlainKey::make("ed25519");
    let script = in_workspace("tests/keys/child.py");
    let command = |program: PathBuf| ExecCommand {
        program,
        args: [&script, Path::new("payload"), &key.path()]
            .map(|arg| arg.to_str().unwrap().to_owned())
            .to_vec(),
        env: Vec::new(),
    };
    let commands = [
        ("desk".to_owned(), command(python())),
        ("relative".to_owned(), command("python3".into())),
    ];
    let options = LoadOptions {
        exec_commands: &commands,
        ..options()
    };
    assert_signs(&*open("exec:desk", options).signer, "ed25519");
    // A relative program of the configuration is none either.
    for name in ["exec:vault", "exec:relative"] {
        let error = open_error(name, options);
        assert!(matches!(error, ExecError::NoCommand { .. }), "{error:?}");
    }
}

fn assert_in_order(signer: &dyn Signer, documents: &[&[u8]], signatures: &[UnverifiedSignature]) {
    let key = VerifyingKey::new(signer.public_key()).unwrap();
    assert_eq!(signatures.len(), documents.len());
    for (document, signature) in documents.iter().zip(signatures) {
        assert!(signature.verify(&key, document).is_some());
    }
}

/// Eight signatures of 0.3 s each at once take as long as one, where the child offers that.
#[test]
fn children_that_can_work_on_many_requests_at_once() {
    let key = PlainKey::make("ed25519");
    let signer = open(&child("many", &key), options()).signer;
    let started = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..8u8 {
            let signer = &signer;
            scope.spawn(move || signer.sign(&[number]).unwrap());
        }
    });
    assert!(started.elapsed() < Duration::from_millis(8 * 300 / 2));
    // The same for one who has many documents, in whose order the signatures come.
    let documents: Vec<[u8; 1]> = (0..8).map(|number| [number]).collect();
    let documents: Vec<&[u8]> = documents.iter().map(<[u8; 1]>::as_slice).collect();
    let started = Instant::now();
    let signatures = signer.sign_many(&documents).unwrap();
    assert!(started.elapsed() < Duration::from_millis(8 * 300 / 2));
    assert_in_order(&*signer, &documents, &signatures);
    // One at a time, callers wait for each other.
    let signer = open(&child("payload", &key), options()).signer;
    let signatures = signer.sign_many(&documents).unwrap();
    assert_in_order(&*signer, &documents, &signatures);
    assert!(signer.sign_many(&[]).unwrap().is_empty());
    std::thread::scope(|scope| {
        for number in 0..8u8 {
            let signer = &signer;
            scope.spawn(move || signer.sign(&[number]).unwrap());
        }
    });
}

static LOGGED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

fn logged(uri: &str) -> Vec<String> {
    let lines = LOGGED.lock().unwrap();
    let of_this = lines.iter().filter(|(key, _)| key == uri);
    of_this.map(|(_, line)| line.clone()).collect()
}

#[test]
fn stderr_is_passed_on_within_limits_and_the_environment_is_not() {
    let environment = ["HOME", "SECRET"].map(|name| (name.into(), OsString::from("planted")));
    let options = LoadOptions {
        environment: &environment,
        child_log: Some(|key, line| {
            LOGGED
                .lock()
                .unwrap()
                .push((key.to_owned(), line.to_owned()));
        }),
        ..options()
    };
    let key = PlainKey::make("ed25519");
    let uri = child("environment", &key) + "&env=HOME&env=UNSET";
    open(&uri, options).signer.sign(b"m").unwrap();
    let expected = "variables: HOME";
    // Python itself may add LC_CTYPE (PEP 538).
    let lines = logged(&uri);
    assert!(
        lines.len() == 1 && lines[0].replace(" LC_CTYPE", "") == expected,
        "{lines:?}"
    );

    let uri = child("loud", &key);
    let signer = open(&uri, options).signer;
    for _ in 0..2 {
        signer.sign(b"m").unwrap();
    }
    drop(signer);
    let lines = logged(&uri);
    assert_eq!(lines.len(), 1000);
    assert_eq!(lines[..2], ["(a line too long to be shown)", "plain"]);
}

#[cfg(target_os = "linux")]
/// Its pid is free again as soon as the signer is dropped: it was killed and reaped.
#[test]
fn children_end_with_their_signer() {
    let key = PlainKey::make("ed25519");
    let file = key.folder.path().join("pid");
    let uri = child("pid", &key) + &format!("&arg={}", file.display());
    let signer = open(&uri, options()).signer;
    let pid = std::fs::read_to_string(&file).unwrap();
    let process = Path::new("/proc").join(pid);
    assert!(process.exists());
    drop(signer);
    assert!(!process.exists());
}
