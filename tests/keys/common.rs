//! What the tests of keys share: the programs that `tests/run` sets up, and their output.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::environment::prepared;
use keys::{LoadOptions, NoPassphrase, OpenedSigner, Signer};
use metadata::PublicKey;
use metadata::canonical::Writer;

/// Python with securesystemslib and `cryptography`.
pub(crate) fn python() -> PathBuf {
    prepared("venv/bin/python")
}

/// `openssl`, `ssh-agent`, `ssh-add` or `ssh-keygen`.
pub(crate) fn tool(name: &str) -> PathBuf {
    prepared("tools").join(name)
}

/// A file of the workspace.
pub(crate) fn in_workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Runs a program that has to succeed; returns what it printed.
pub(crate) fn run<S: AsRef<OsStr>>(program: &Path, args: &[S]) -> String {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(
        output.status.success(),
        "{} {}: {}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a Python script given as text.
pub(crate) fn run_python(script: &str, args: &[&str]) -> String {
    run(&python(), &[&["-c", script], args].concat())
}

/// Opens a key that needs no passphrase.
pub(crate) fn open(uri: &str, options: LoadOptions) -> OpenedSigner {
    match uri
        .parse::<keys::KeyUri>()
        .unwrap()
        .open(&NoPassphrase, options)
    {
        Ok(opened) => opened,
        Err(error) => panic!("{uri}: {error} {error:?}"),
    }
}

const FORMATS: &str = include_str!("formats.py");

/// Signs, and has securesystemslib verify the signature with the key as metadata lists it.
pub(crate) fn assert_verifies_in_python(signer: &dyn Signer) {
    let key = listed(signer.public_key());
    let signature = hex::encode(signer.sign(b"message").unwrap().bytes);
    let verify = |message| ["verify", &key, message, &signature].map(str::to_owned);
    let accepted = run_python(FORMATS, &verify("message").each_ref().map(String::as_str));
    assert_eq!(accepted, "ok\n");
    let refused = Command::new(python())
        .args(["-c", FORMATS])
        .args(verify("another message"))
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("UnverifiedSignatureError"), "{words}");
}

fn listed(key: &PublicKey) -> String {
    let mut out = Writer::new();
    key.write(&mut out);
    // Canonical JSON keeps line ends in strings as they are; Python's parser does not.
    String::from_utf8(out.into_bytes())
        .unwrap()
        .replace('\n', "\\n")
}

/// A private key in PEM without a passphrase, made by Python.
pub(crate) struct PlainKey {
    pub(crate) folder: tempfile::TempDir,
}

const MAKE: &str = r#"
import json, sys
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from securesystemslib.signer import SSlibKey
kind, path = sys.argv[1:]
key = {"ed25519": ed25519.Ed25519PrivateKey.generate,
       "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
       "rsa": lambda: rsa.generate_private_key(65537, 2048)}[kind]()
pem = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
open(path, "wb").write(pem)
json.dump(SSlibKey.from_crypto(key.public_key()).to_dict(), open(path + ".json", "w"))
"#;

impl PlainKey {
    pub(crate) fn make(kind: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = Self { folder };
        run_python(MAKE, &[kind, key.path().to_str().unwrap()]);
        key
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("key")
    }
}
