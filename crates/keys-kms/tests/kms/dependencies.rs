//! What is linked for AWS KMS: one TLS stack on ring, nothing with a second one.

use std::process::Command;

/// Crates that must not be there, by the beginning of `NAME vVERSION`.
const FORBIDDEN: [&str; 8] = [
    "aws-lc-rs ",
    "aws-lc-sys ",
    "rustls v0.21",
    "hyper v0.14",
    "h2 v0.3",
    "openssl-sys ",
    "native-tls ",
    "countersign-kms-double ",
];

#[test]
fn tls_is_rustls_with_ring_and_nothing_else() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--package",
            "countersign-keys-kms",
            "--target",
            "all",
        ])
        .args(["--edges", "normal,build", "--prefix", "none", "--no-dedupe"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8(tree.stdout).unwrap();
    let has = |start: &str| tree.lines().find(|line| line.starts_with(start));
    for needed in [
        "ring v0.17",
        "rustls v0.23",
        "hyper v1",
        "aws-sdk-kms ",
        "aws-config ",
    ] {
        assert!(
            has(needed).is_some(),
            "{needed} is missing: is this the right tree?"
        );
    }
    for forbidden in FORBIDDEN {
        assert_eq!(has(forbidden), None);
    }
}
