//! The example `kms_sign` as a process of its own, where the environment matters.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How the process ended and what it wrote.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// Signs `message`. Nothing of this process's environment is passed on, and the instance metadata
/// service is not asked unless `environment` says so.
pub(crate) fn sign(uri: &str, home: &Path, environment: &[(&str, &str)]) -> Outcome {
    let mut child = Command::new(program())
        .arg(uri)
        .env_clear()
        .env("HOME", home)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; build the examples", program().display()));
    child.stdin.take().unwrap().write_all(b"message").unwrap();
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code(),
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The example, which cargo builds beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples/kms_sign")
}
