//! The crate that sees private keys links nothing that talks to a network or runs tasks.

use std::process::Command;

/// What would bring a socket, TLS or an async runtime.
const FORBIDDEN: &[&str] = &[
    "async-std",
    "aws-config",
    "aws-lc-rs",
    "aws-sdk-kms",
    "curl",
    "futures-core",
    "h2",
    "hyper",
    "mio",
    "native-tls",
    "openssl",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tough",
    "ureq",
];

#[test]
fn nothing_talks_to_a_network() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "-p",
            "countersign-keys",
            "-e",
            "normal,build",
        ])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(
        names.contains(&"ring") && names.contains(&"pkcs8"),
        "{tree}{words}"
    );
    let found: Vec<_> = names
        .iter()
        .filter(|name| FORBIDDEN.contains(name))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}
