//! Passphrases and PINs typed on a terminal: asked for by name, not shown, given up with Ctrl-C.

use std::process::Command;

use countersign_tests::environment::program;
use serde_json::{Value, json};

use crate::common::{in_workspace, python};
use crate::hsm::{PIN, with_softhsm};
use crate::programs::desk::{Desk, PROGRAMS};

const WORDS: &str = "correct horse battery";

/// Runs a program on a terminal; its exit status and what the terminal showed.
fn on_terminal(desk: &Desk, name: &str, line: &str, answers: &Value) -> (i64, String) {
    let mut command = Command::new(python());
    command
        .arg(in_workspace("tests/keys/programs/terminal.py"))
        .arg(answers.to_string())
        .arg(program(name))
        .args(line.split_whitespace())
        .current_dir(desk.path());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let shown = told["shown"].as_str().unwrap().to_owned();
    (told["status"].as_i64().unwrap(), shown)
}

#[test]
fn passphrases_are_asked_for_and_not_shown() {
    for program in PROGRAMS {
        let desk = Desk::new();
        let typed = format!("{WORDS}\n");
        let (new, again) = ("New passphrase for file:key: ", "The same again: ");
        let twice = json!([[new, typed], [again, typed]]);
        let (status, shown) = on_terminal(&desk, program, "key new key", &twice);
        assert_eq!(status, 0, "{shown}");
        let ask = "Passphrase of file:key: ";
        for (answer, expected) in [(&typed, 0), (&"wrong\n".to_owned(), 1)] {
            let answers = json!([[ask, answer]]);
            let (status, shown) = on_terminal(&desk, program, "key check key", &answers);
            assert_eq!(status, expected, "{shown}");
            assert!(shown.contains(ask), "{shown}");
            assert!(!shown.contains(answer.trim()), "{shown}");
        }
        // Two that differ make no key.
        let differ = json!([[new.replace("key", "no"), typed], [again, "another\n"]]);
        let (status, shown) = on_terminal(&desk, program, "key new no", &differ);
        assert_eq!(status, 1, "{shown}");
        assert!(
            shown.contains("the two passphrases differ; no key was made"),
            "{shown}"
        );
        assert!(!desk.at("no").exists());
        // Ctrl-C ends it at once, by the signal that every shell reports as 130.
        let (status, shown) =
            on_terminal(&desk, program, "key check key", &json!([[ask, "\u{3}"]]));
        assert_eq!(status, -2, "{shown}");
        assert!(!shown.contains("error:"), "{shown}");
    }
}

#[test]
fn pins_are_asked_for_and_not_shown() {
    with_softhsm(|hsm| {
        hsm.add_token("Desk");
        let desk = Desk::new();
        let named = "pkcs11:token=Desk;object=root";
        let key = format!("{named}?module-path={}", hsm.module.display());
        let ask = json!([["PIN of pkcs11:token=Desk", format!("{PIN}\n")]]);
        for (at, program) in PROGRAMS.into_iter().enumerate() {
            let lines = [format!("key new {key}"), format!("key check {key}")];
            for line in &lines[at..] {
                let (status, shown) = on_terminal(&desk, program, line, &ask);
                assert_eq!(status, 0, "{shown}");
                assert!(!shown.contains(PIN), "{shown}");
            }
        }
    });
}
