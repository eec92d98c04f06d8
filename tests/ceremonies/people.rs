//! People at a terminal: what they are asked, what is not shown, and what happens when a disk is
//! full or a token is pulled out in the middle.

use std::fs;
use std::path::Path;

use countersign_tests::environment::{prepared, program, said};
use serde_json::Value;

use crate::desk::{Desk, PIN};

/// What a program showed on its terminal, and its exit code.
fn typed(desk: &Desk, steps: &Value, arguments: &[&str]) -> (i64, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ceremonies/typist.py");
    let output = desk
        .command(&prepared("venv/bin/python"))
        .arg(script)
        .arg(steps.to_string())
        .arg(program("countersign-ceremony"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let screen = report["screen"].as_str().unwrap().to_owned();
    for secret in [PIN, "correct horse"] {
        assert!(!screen.contains(secret), "a secret was shown: {screen}");
    }
    (report["code"].as_i64().unwrap(), screen)
}

/// The command that signs what was reviewed.
fn sign<'a>(digest: &'a str, keys: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["sign", "1-genesis", "--holder", "Ada", "--reviewed", digest];
    for key in keys {
        all.extend(["--key", key]);
    }
    all
}

fn files(desk: &Desk, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(desk.path("1-genesis").join(folder)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A genesis with keys on two tokens; the digest of the event.
fn planned(desk: &mut Desk) -> String {
    for (token, objects) in [("ada", ["root", "targets"]), ("bo", ["root", "bins"])] {
        desk.token(token);
        for object in objects {
            desk.key(token, object, "ecdsa-p256");
        }
    }
    desk.token("cleo");
    desk.key("cleo", "root", "ed25519");
    desk.online_key("online");
    let event = desk.plan(
        "genesis",
        &[
            "--root-key=Ada=ada-root.pub,Bo=bo-root.pub,Cleo=cleo-root.pub",
            "--targets-key=Ada=ada-targets.pub",
            "--bins-key=Bo=bo-bins.pub",
            "--online-key=signer=online.pub",
        ],
    );
    desk.digest(&event)
}

#[test]
fn passphrases_are_typed_twice_and_never_shown() {
    let desk = Desk::new();
    let new = ["key", "new", "ada.pem"];
    let steps = serde_json::json!([
        ["New passphrase for file:ada.pem: ", "correct horse"],
        ["The same again: ", "correct hose"],
    ]);
    let (code, screen) = typed(&desk, &steps, &new);
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("hint: try again"), "{screen}");
    assert!(!desk.path("ada.pem").exists());
    let steps = serde_json::json!([
        ["New passphrase for file:ada.pem: ", "correct horse"],
        ["The same again: ", "correct horse"],
    ]);
    let (code, screen) = typed(&desk, &steps, &new);
    assert_eq!(code, 0, "{screen}");
    assert!(desk.path("ada.pem.pub").exists());
}

#[test]
fn a_pin_is_asked_for_once_for_each_key() {
    let mut desk = Desk::new();
    let digest = planned(&mut desk);
    let (root, targets) = (Desk::uri("ada", "root"), Desk::uri("ada", "targets"));
    let both = sign(&digest, &[&root, &targets]);
    let wrong = serde_json::json!([["PIN of pkcs11:", "000000"]]);
    let (code, screen) = typed(&desk, &wrong, &both);
    assert_eq!(code, 1, "{screen}");
    assert_eq!(files(&desk, "signatures"), [""; 0]);
    let steps = serde_json::json!([["PIN of pkcs11:", PIN], ["PIN of pkcs11:", PIN]]);
    let (code, screen) = typed(&desk, &steps, &both);
    assert_eq!(code, 0, "{screen}");
    assert_eq!(screen.matches("PIN of").count(), 2, "{screen}");
    assert!(screen.contains("targets v1 signed"), "{screen}");
    assert_eq!(files(&desk, "signatures").len(), 2);
    // A key of somebody else is not hers to use.
    let bo = Desk::uri("bo", "root");
    let steps = serde_json::json!([["PIN of pkcs11:", PIN]]);
    let (code, screen) = typed(&desk, &steps, &sign(&digest, &[&bo]));
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("is held by Bo, not by Ada"), "{screen}");
}

/// The token goes between the PIN of the first key and that of the second: what was given stays,
/// nothing more is, and the same command ends the work once the token is back.
#[test]
fn a_token_pulled_out_while_signing_leaves_nothing_half_done() {
    let mut desk = Desk::new();
    let digest = planned(&mut desk);
    let (root, targets) = (Desk::uri("ada", "root"), Desk::uri("ada", "targets"));
    let both = sign(&digest, &[&root, &targets]);
    let (here, gone) = (desk.path("tokens"), desk.path("pulled-out"));
    let pulled = serde_json::json!([["PIN of pkcs11:", PIN], ["PIN of pkcs11:", PIN, here, gone],]);
    let (code, screen) = typed(&desk, &pulled, &both);
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("error: "), "{screen}");
    assert_eq!(files(&desk, "signatures").len(), 1);
    fs::rename(&gone, &here).unwrap();
    let steps = serde_json::json!([["PIN of pkcs11:", PIN], ["PIN of pkcs11:", PIN]]);
    let (code, screen) = typed(&desk, &steps, &both);
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("root v1 was signed before"), "{screen}");
    assert_eq!(files(&desk, "signatures").len(), 2);
    assert!(desk.ok(&["transcript", "1-genesis"]).contains("Ada signed"));
}

/// Files end after a few hundred bytes, as on a disk that is full: the signature fits, its entry in
/// the transcript does not.
#[test]
fn a_full_disk_leaves_nothing_that_counts() {
    let mut desk = Desk::new();
    let names = ["ada", "bo", "cleo", "targets", "bins"];
    for name in names {
        desk.ok(&["key", "new", name, "--passphrase-file", "pin"]);
    }
    desk.online_key("online");
    let event = desk.plan(
        "genesis",
        &[
            "--root-key=Ada=ada.pub,Bo=bo.pub,Cleo=cleo.pub",
            "--targets-key=Ada=targets.pub",
            "--bins-key=Bo=bins.pub",
            "--online-key=signer=online.pub",
        ],
    );
    let digest = desk.digest(&event);
    let mut arguments = sign(&digest, &["file:ada"]);
    arguments.extend(["--passphrase-file", "pin"]);
    for blocks in ["0", "1"] {
        let limited = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
        let output = desk
            .command("/bin/sh".as_ref())
            .args(["-c", limited, "sh", blocks])
            .arg(program("countersign-ceremony"))
            .args(&arguments)
            .output()
            .unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("error: cannot write"), "{said}");
        assert!(said.contains("hint: make room"), "{said}");
        // Not even a part of a file is left, and no signature without its entry.
        assert_eq!(files(&desk, "signatures"), [""; 0], "{said}");
        assert_eq!(files(&desk, "transcript"), ["administrator.0001.json"]);
    }
    desk.ok(&arguments);
    assert_eq!(files(&desk, "transcript").len(), 2);
    let (code, said) = desk.refused(&["combine", "1-genesis"]);
    assert_eq!(code, 11, "{said}");
}
