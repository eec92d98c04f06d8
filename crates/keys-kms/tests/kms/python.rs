//! Verification by python-tuf and securesystemslib, which share no code with ours.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use metadata::{PublicKey, Signature};
use serde_json::json;

/// Reads `[key, keyid, message, signature]` from each line; prints `True` or `False` for each.
const PROGRAM: &str = "
import json, sys
from securesystemslib.exceptions import UnverifiedSignatureError
from tuf.api.metadata import Key, Signature
for line in sys.stdin:
    key, keyid, message, signature = json.loads(line)
    key = Key.from_dict(keyid, key)
    try:
        key.verify_signature(Signature(keyid, signature), bytes.fromhex(message))
        print(True)
    except UnverifiedSignatureError:
        print(False)
";

/// A folder of the test environment (tests/setup/README.md).
pub(crate) fn environment() -> PathBuf {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/.env");
    std::env::var_os("COUNTERSIGN_TEST_ENV").map_or_else(|| default.into(), PathBuf::from)
}

/// Whether python-tuf verifies the signature.
pub(crate) fn verifies(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    let listed = json!({
        "keytype": key.keytype(),
        "scheme": key.scheme(),
        "keyval": {"public": key.public()},
    });
    let message = hex::encode(message);
    let line = json!([
        listed,
        key.id().as_str(),
        message,
        hex::encode(&signature.bytes)
    ]);
    let python = environment().join("venv/bin/python");
    let mut child = Command::new(&python)
        .args(["-I", "-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}; run `python3 tests/run --setup-only`",
                python.display()
            )
        });
    writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    match output.stdout.as_slice() {
        b"True\n" => true,
        b"False\n" => false,
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
}
