//! What the tests of this crate share: the programs that `tests/run` sets up, and their output.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_keys::{LoadOptions, NoPassphrase, OpenedSigner};

/// `tests/.env`, which `tests/run --setup-only` makes.
pub(crate) fn environment() -> PathBuf {
    std::env::var_os("COUNTERSIGN_TEST_ENV").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/.env"),
        PathBuf::from,
    )
}

/// Python with securesystemslib and `cryptography`.
pub(crate) fn python() -> PathBuf {
    environment().join("venv/bin/python")
}

/// `openssl`, `ssh-agent`, `ssh-add` or `ssh-keygen`.
pub(crate) fn tool(name: &str) -> PathBuf {
    environment().join("tools").join(name)
}

/// Runs a program that has to succeed; returns what it printed.
pub(crate) fn run<S: AsRef<OsStr>>(program: &Path, args: &[S]) -> String {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run tests/run", program.display()));
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
        .parse::<countersign_keys::KeyUri>()
        .unwrap()
        .open(&NoPassphrase, options)
    {
        Ok(opened) => opened,
        Err(error) => panic!("{uri}: {error} {error:?}"),
    }
}
