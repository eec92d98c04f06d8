//! The program as people use it: keys in encrypted files, one command after the other.

mod desk;

use std::fs;

use desk::{Desk, is_empty};

#[test]
fn from_keys_to_a_verified_publish_set() {
    let desk = Desk::new();
    let digest = desk.genesis();
    assert!(
        desk.ok(&["review", "event"])
            .ends_with(&format!("{digest}\n"))
    );
    let (code, _) = desk.fails(&["status", "event"]);
    assert_eq!(code, 11);
    for key in ["file:ada", "file:bo", "file:targets", "file:bins"] {
        let said = desk.ok(&Desk::sign(&digest, key));
        assert!(said.contains(" v1 signed: sha256 "), "{said}");
    }
    let status = desk.ok(&["status", "event"]);
    assert!(
        status
            .starts_with("root v1 (the new root): 2 of 2 needed, signed by Ada, Bo; not by Cleo\n"),
        "{status}"
    );
    desk.ok(&["combine", "event"]);
    let (code, said) = desk.fails(&Desk::sign(&digest, "file:cleo"));
    assert_eq!(code, 1);
    assert!(said.contains("was made already"), "{said}");
    let verdict = desk.ok(&["verify", "event", "--json"]);
    let verdict: serde_json::Value = serde_json::from_str(&verdict).unwrap();
    assert_eq!(verdict["files"][0]["name"], "1.root.json");
    assert_eq!(verdict["digest"], digest.replace(' ', ""));
    for name in ["1.root.json", "1.targets.json", "1.bins.json"] {
        assert!(desk.path().join("event/publish-set").join(name).is_file());
    }
    // And on from there.
    let renewed = desk.ok(&[
        "plan",
        "renew",
        "next",
        "--from",
        "event/publish-set",
        "--after",
        "event",
        "--policy",
        "rehearsal",
        "--roles",
        "bins",
    ]);
    assert!(renewed.starts_with("bins v2, expires "), "{renewed}");
}

#[test]
fn nobody_signs_what_was_not_reviewed() {
    let desk = Desk::new();
    let digest = desk.genesis();
    let (code, said) = desk.fails(&["sign", "event", "--key", "file:ada"]);
    assert_eq!(code, 2);
    assert!(said.contains("hint: run `review`, compare"), "{said}");
    let other = if digest.starts_with('0') {
        "11111111"
    } else {
        "00000000"
    };
    for (wrong, code, means) in [
        (other, 10, "does not have the digest that was given"),
        (
            &digest[..7],
            2,
            "7 digits of the digest were given, and 8 are needed",
        ),
        ("", 2, "0 digits of the digest were given"),
    ] {
        let (found, said) = desk.fails(&Desk::sign(wrong, "file:ada"));
        assert_eq!(found, code, "{said}");
        assert!(said.contains(means), "{said}");
        // What has to be compared aloud cannot be copied from here.
        assert!(!said.contains(&digest[..8]), "{said}");
    }
    assert!(is_empty(&desk.path().join("event/signatures")));
}

#[test]
fn failures_say_what_to_do_next() {
    let desk = Desk::new();
    let digest = desk.genesis();
    let mut wrong = Desk::sign(&digest, "file:ada");
    wrong[7] = "wrong";
    let (code, said) = desk.fails(&wrong);
    assert_eq!(
        (code, said.lines().next().unwrap()),
        (1, "error: file:ada does not open with this passphrase")
    );

    let (code, said) = desk.fails(&Desk::sign(&digest, "file:online"));
    assert_eq!(code, 1);
    assert!(
        said.contains("signs for no role of this ceremony\nhint: "),
        "{said}"
    );

    let (code, said) = desk.fails(&["combine", "event"]);
    assert_eq!(code, 11);
    assert!(
        said.starts_with("error: root v1 has 0 of 2 signatures; not signed by Ada, Bo, Cleo\n"),
        "{said}"
    );

    let without = ["sign", "event", "--key", "file:ada", "--reviewed", &digest];
    let (_, said) = desk.fails(&without);
    assert!(
        said.contains("hint: run it on a terminal, or add `--passphrase-file FILE`"),
        "{said}"
    );

    let (code, said) = desk.fails(&["key", "new", "ada", "--passphrase-file", "passphrase"]);
    assert_eq!(code, 1);
    assert!(said.contains("never overwritten"), "{said}");

    let payload = desk.path().join("event/payload/1.root.json");
    let text = fs::read_to_string(&payload).unwrap();
    fs::write(&payload, text.replace("\"threshold\":2", "\"threshold\":1")).unwrap();
    let (code, said) = desk.fails(&["review", "event"]);
    assert_eq!(code, 10, "{said}");
    assert!(
        said.contains("hint: this copy of the event was changed or damaged"),
        "{said}"
    );
}

#[test]
fn a_policy_can_forbid_key_files() {
    let desk = Desk::new();
    let text = policy::Policy::built_in_text("rehearsal").unwrap();
    let strict = text.replace(
        "offline_keys_in_files = true",
        "offline_keys_in_files = false",
    );
    assert_ne!(strict, text);
    fs::write(desk.path().join("strict.toml"), strict).unwrap();
    let digest = desk.genesis_under("strict.toml");
    let (code, said) = desk.fails(&Desk::sign(&digest, "file:ada"));
    assert_eq!(code, 1);
    let expected =
        "error: file:ada is a file, and the policy does not allow offline keys in files\n";
    assert_eq!(said, expected);
}

/// One key for an offline and an online role, and a root with a key too few: each broken rule is a
/// line of its own.
#[test]
fn a_plan_against_the_rules_is_refused_line_by_line() {
    let desk = Desk::new();
    for name in ["ada", "bo", "online"] {
        desk.key(name);
    }
    let (code, said) = desk.fails(&[
        "plan",
        "genesis",
        "event",
        "--policy",
        "rehearsal",
        "--root-key",
        "Ada=ada.pub",
        "--root-key",
        "Bo=bo.pub",
        "--targets-key",
        "Ada=online.pub",
        "--bins-key",
        "Bo=bo.pub",
        "--online-key",
        "signer=online.pub",
    ]);
    assert_eq!(code, 1);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "error: root v1 breaks rules and cannot be signed");
    assert!(
        lines[1].starts_with("cause: root has 2 keys, the policy asks for 3"),
        "{said}"
    );
    assert!(
        lines[2].contains("is in an online and in an offline role"),
        "{said}"
    );
    assert!(!desk.path().join("event").exists());

    let (code, said) = desk.fails(&[
        "plan",
        "genesis",
        "event",
        "--policy",
        "nonsense",
        "--root-key",
        "Ada=ada.pub",
        "--targets-key",
        "Ada=bo.pub",
        "--bins-key",
        "Bo=bo.pub",
        "--online-key",
        "s=online.pub",
    ]);
    assert_eq!(code, 2);
    assert!(
        said.contains("hint: give a policy file or one of small-index"),
        "{said}"
    );
}

#[test]
fn pages_completions_and_papers_come_out_of_the_program() {
    let desk = Desk::new();
    let page = desk.ok(&["generate", "man"]);
    assert!(page.contains(".TH countersign-ceremony"), "{page}");
    let page = desk.ok(&["generate", "man", "plan", "genesis"]);
    assert!(page.contains("root\\-key"), "{page}");
    let (code, said) = desk.fails(&["generate", "man", "plan", "nonsense"]);
    assert_eq!(code, 2, "{said}");
    let completions = desk.ok(&["generate", "completions", "bash"]);
    assert!(completions.contains("replace-holder"), "{completions}");
    desk.ok(&["generate", "papers", "papers"]);
    assert!(desk.path().join("papers/scripts/key-lost.md").is_file());
    let (code, said) = desk.fails(&["generate", "papers", "papers"]);
    assert_eq!(code, 1, "{said}");
}

/// Each flag has a variable, those that may be given several times too.
#[test]
fn a_plan_can_stand_in_the_environment() {
    let desk = Desk::new();
    for name in ["ada", "bo", "cleo", "targets", "bins", "online"] {
        desk.key(name);
    }
    let output = desk
        .command(&["plan", "genesis", "event"])
        .env("COUNTERSIGN_POLICY", "rehearsal")
        .env(
            "COUNTERSIGN_ROOT_KEY",
            "Ada=ada.pub,Bo=bo.pub,Cleo=cleo.pub",
        )
        .env("COUNTERSIGN_TARGETS_KEY", "Ada=targets.pub")
        .env("COUNTERSIGN_BINS_KEY", "Bo=bins.pub")
        .env("COUNTERSIGN_ONLINE_KEY", "signer=online.pub")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let review = String::from_utf8(output.stdout).unwrap();
    assert!(
        review.contains("new key of Cleo for root, taken as"),
        "{review}"
    );
    assert!(review.contains("policy rehearsal, sha256 "), "{review}");
    assert!(review.contains("the event in words"), "{review}");
    // A renewal goes on with the policy of the event before it, and is refused without either.
    let renew = ["plan", "renew", "next", "--from", "event/publish-set"];
    let (code, said) = desk.fails(&renew);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("hint: add `--after EVENT`"), "{said}");
}
