//! What the program is built from.

use std::collections::BTreeSet;
use std::process::Command;

/// DESIGN §1: the program that runs beside root keys brings no network crate and no async runtime.
#[test]
fn no_network_and_no_async_runtime() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "countersign-ceremony",
            "--edges",
            "normal,build",
        ])
        .args(["--prefix", "none", "--format", "{p}", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(
        crates.contains("countersign-keys") && crates.contains("ring"),
        "{crates:?}"
    );
    for network in [
        "tokio",
        "async-std",
        "smol",
        "futures-util",
        "mio",
        "socket2",
        "hyper",
        "reqwest",
        "rustls",
        "axum",
        "h2",
        "quinn",
        "ureq",
        "curl",
        "native-tls",
        "openssl",
        "aws-sdk-kms",
        "tough",
    ] {
        assert!(!crates.contains(network), "{network}");
    }
}
