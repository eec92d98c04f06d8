//! A holder who comes with the program and a folder, and nobody to ask: a name in the wrong case, a
//! folder that was damaged on its way, a signature that comes late.

mod common;
mod desk;

use std::fs;
use std::path::PathBuf;

use common::copy_folder;
use desk::Desk;

fn file(desk: &Desk, name: &str) -> PathBuf {
    desk.path().join("event").join(name)
}

fn count(desk: &Desk, folder: &str) -> usize {
    fs::read_dir(file(desk, folder)).unwrap().count()
}

/// What was said on stderr while all went well.
fn warned(desk: &Desk, arguments: &[&str]) -> String {
    let output = desk.run(arguments);
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// `sign` under a name.
fn sign_as<'a>(holder: &'a str, digest: &'a str, key: &'a str) -> Vec<&'a str> {
    let mut all = Desk::sign(digest, key);
    all.extend(["--holder", holder]);
    all
}

/// Flips the lowest bit in the middle of a file.
fn flip(path: &PathBuf) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_name_in_the_wrong_case_is_refused_and_jams_nothing() {
    let desk = Desk::new();
    let digest = desk.genesis();
    let hint = "hint: did you mean `Bo`? names are compared exactly";
    for arguments in [
        vec!["review", "event", "--holder", "bo"],
        vec!["review", "event", "--holder", "BO "],
        sign_as("bo", &digest, "file:bo"),
        vec!["merge", "event", "event", "--as", "bo"],
    ] {
        let (code, said) = desk.fails(&arguments);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(hint), "{arguments:?}: {said}");
    }
    assert_eq!(count(&desk, "transcript"), 1);
    desk.ok(&["review", "event", "--holder", "Bo"]);
    desk.ok(&sign_as("Bo", &digest, "file:bo"));
    let (code, said) = desk.fails(&sign_as("Eve", &digest, "file:bo"));
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("keys are held by Ada, Bo, Cleo, signer"),
        "{said}"
    );
}

#[test]
fn a_witness_is_told_that_no_key_is_theirs() {
    let desk = Desk::new();
    desk.genesis();
    let said = warned(&desk, &["review", "event", "--holder", "Eve"]);
    assert!(
        said.starts_with("warning: Eve holds no key in this event"),
        "{said}"
    );
    assert_eq!(warned(&desk, &["review", "event", "--holder", "Ada"]), "");
}

/// Names that a file name cannot tell apart: each has files of its own, on one machine and on two.
#[test]
fn witnesses_with_names_alike_have_entries_of_their_own() {
    let desk = Desk::new();
    desk.genesis();
    copy_folder(&file(&desk, ""), &desk.path().join("other"));
    for name in ["Zoë", "Zo-", "eve", "Eve", "Administrator Kim"] {
        desk.ok(&["review", "event", "--holder", name]);
    }
    for name in ["Zo!", "EVE"] {
        desk.ok(&["review", "other", "--holder", name]);
    }
    desk.ok(&["merge", "event", "other"]);
    let said = desk.ok(&["transcript", "event"]);
    assert_eq!(said.matches(" reviewed").count(), 7, "{said}");
}

/// A copy that an earlier version jammed: `bo` has the file that `Bo` would have.
#[test]
fn a_plain_file_name_that_is_taken_is_gone_round() {
    let desk = Desk::new();
    let digest = desk.genesis();
    desk.ok(&["review", "event", "--holder", "eve"]);
    let long = fs::read_dir(file(&desk, "transcript"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("/eve-"))
        .unwrap();
    fs::rename(&long, file(&desk, "transcript/eve.0001.json")).unwrap();
    desk.ok(&["review", "event", "--holder", "Eve"]);
    assert_eq!(count(&desk, "transcript"), 3);
    for key in ["file:ada", "file:bo", "file:targets", "file:bins"] {
        desk.ok(&Desk::sign(&digest, key));
    }
    desk.ok(&["combine", "event"]);
    desk.ok(&["verify", "event"]);
}

/// Files end after a few hundred bytes, as on a disk that is full: the signature fits, its entry in
/// the transcript does not.
#[test]
fn a_signature_that_cannot_be_entered_does_not_stay() {
    let desk = Desk::new();
    let digest = desk.genesis();
    let limited = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_countersign-ceremony")])
        .args(Desk::sign(&digest, "file:bo"))
        .current_dir(desk.path())
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("transcript/bo.0001.json"), "{said}");
    assert!(desk::is_empty(&file(&desk, "signatures")));
    assert_eq!(count(&desk, "transcript"), 1);
    desk.ok(&Desk::sign(&digest, "file:bo"));
}

/// One bit of any file, in the middle: every command that looks at a copy says the same.
#[test]
fn damage_is_found_before_anybody_signs_and_always_said_alike() {
    let desk = Desk::new();
    let digest = desk.genesis();
    copy_folder(&file(&desk, ""), &desk.path().join("master"));
    desk.ok(&["review", "event", "--holder", "Bo"]);
    desk.ok(&Desk::sign(&digest, "file:bo"));
    let signed = fs::read_dir(file(&desk, "signatures")).unwrap();
    let signature = signed.map(|entry| entry.unwrap().path()).next().unwrap();
    for path in [
        file(&desk, "ceremony.toml"),
        file(&desk, "policy.toml"),
        file(&desk, "payload/1.root.json"),
        file(&desk, "papers/scripts/genesis.md"),
        file(&desk, "papers/forms/witness.md"),
        file(&desk, "transcript/administrator.0001.json"),
        signature,
    ] {
        let good = fs::read(&path).unwrap();
        flip(&path);
        for arguments in [
            vec!["review", "event"],
            vec!["status", "event"],
            vec!["merge", "master", "event"],
            vec!["combine", "event"],
            vec!["verify", "event"],
            vec![
                "export-payload",
                "event",
                "--role",
                "root",
                "--out",
                "payload",
            ],
            Desk::sign(&digest, "file:cleo"),
        ] {
            let (code, said) = desk.fails(&arguments);
            let what = format!("{}, {arguments:?}: {said}", path.display());
            if said.contains("does not have the digest that was given") {
                // Whoever signs compares the digest first.
                assert_eq!(code, 10, "{what}");
                continue;
            }
            assert_eq!(code, 10, "{what}");
            assert!(said.contains("get it again"), "{what}");
        }
        fs::write(&path, good).unwrap();
    }
    desk.ok(&Desk::sign(&digest, "file:cleo"));
    // A script that nobody planned is as bad.
    fs::write(file(&desk, "papers/scripts/more.md"), "1. DO this").unwrap();
    let (code, said) = desk.fails(&["review", "event"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is in no entry of the transcript"), "{said}");
}

#[test]
fn status_names_a_signature_that_no_step_made() {
    let desk = Desk::new();
    let digest = desk.genesis();
    let other = desk.path().join("other");
    copy_folder(&file(&desk, ""), &other);
    desk.ok(&Desk::sign(&digest, "file:bo"));
    fs::remove_dir_all(other.join("signatures")).unwrap();
    copy_folder(&file(&desk, "signatures"), &other.join("signatures"));
    let output = desk.run(&["status", "other"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(11));
    assert!(said.contains("CAUTION: signatures/root."), "{said}");
}

#[test]
fn a_signature_after_combine_moves_no_digest_unsaid() {
    let desk = Desk::new();
    let digest = desk.genesis();
    copy_folder(&file(&desk, ""), &desk.path().join("cleo's"));
    for key in ["file:ada", "file:bo", "file:targets", "file:bins"] {
        desk.ok(&Desk::sign(&digest, key));
    }
    desk.ok(&["combine", "event"]);
    let verdict = |desk: &Desk| -> serde_json::Value {
        serde_json::from_str(&desk.ok(&["verify", "event", "--json"])).unwrap()
    };
    let before = verdict(&desk);
    let last = before["transcript"]["last"][0].as_str().unwrap().to_owned();
    assert_eq!(before["combined"]["last"], last);
    let mut late = Desk::sign(&digest, "file:cleo");
    late[1] = "cleo's";
    desk.ok(&late);
    let said = desk.ok(&["merge", "event", "cleo's"]);
    assert!(
        said.contains("CAUTION: the files for the index were made before"),
        "{said}"
    );
    assert!(said.contains(&last), "{said}");
    let after = verdict(&desk);
    assert_ne!(after["transcript"]["last"][0], last);
    assert_eq!(after["combined"], before["combined"]);
    assert_eq!(after["files"], before["files"]);
    let said = desk.ok(&["verify", "event"]);
    assert!(
        said.contains(&format!("were made by step 6, {last}")),
        "{said}"
    );
    // Nothing new, nothing to say.
    let said = desk.ok(&["merge", "event", "cleo's"]);
    assert_eq!(said, "0 files were new\n");
}

/// Words in the numbered rows that paper forms have.
fn rows(words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    assert_eq!(words.len(), 16);
    let row = |at: usize| -> String {
        let word = |at: usize| format!("{:4} {:<9}", at + 1, words[at]);
        let row = [at, at + 1, at + 2, at + 3].map(word).concat();
        row.trim_end().to_owned() + "\n"
    };
    [0, 4, 8, 12].map(row).concat()
}

fn json(desk: &Desk, arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&desk.ok(&[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn a_review_speaks_to_who_reads_it() {
    let desk = Desk::new();
    let digest = desk.genesis().replace(' ', "");
    let said = desk.ok(&["review", "event", "--holder", "Bo"]);
    for words in [
        "\nYOU (Bo) sign root v1, bins v1\n",
        "\nAda may sign root v1, targets v1\n",
        "\nrecorded in this copy: Bo has reviewed it\n",
        "CAUTION: bins has one key (listed by targets): if that is lost",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // Both of his keys, each over its words; nobody else's.
    let mine: Vec<&str> = said.split("\nnew key of ").skip(1).collect();
    for part in &mine {
        let own = part.contains("YOUR key: compare these words");
        assert_eq!(own, part.starts_with("Bo "), "{part}");
    }
    assert_eq!(said.matches("YOUR key: ").count(), 2);
    let next = format!("countersign-ceremony sign event --holder Bo --key URI --reviewed {digest}");
    assert!(said.contains(&next), "{said}");
    // A witness signs nothing.
    let said = desk.ok(&["review", "event", "--holder", "Eve"]);
    assert!(!said.contains("--reviewed"), "{said}");
    assert!(
        said.ends_with("next: give the folder back, for `merge`\n"),
        "{said}"
    );
}

#[test]
fn a_signature_says_what_is_left_to_do() {
    let desk = Desk::new();
    let digest = desk.genesis();
    let said = desk.ok(&sign_as("Bo", &digest, "file:bo"));
    assert!(
        said.contains("\nBo has not signed yet: bins v1 by key "),
        "{said}"
    );
    let said = desk.ok(&Desk::sign(&digest, "file:bins"));
    let done = "\nBo has signed everything; next: give the folder back, for `merge`\n";
    assert!(said.ends_with(done), "{said}");
}

#[test]
fn somebody_with_a_key_that_does_not_sign_is_told_to_stop() {
    let desk = Desk::new();
    let digest = desk.genesis();
    let (_, said) = desk.fails(&Desk::sign(&digest, "file:online"));
    assert!(
        said.contains("another took its place: stop, and ask"),
        "{said}"
    );
    let (_, said) = desk.fails(&sign_as("Cleo", &digest, "file:bo"));
    assert!(
        said.contains("if this one is yours, the event is wrong: stop"),
        "{said}"
    );
    let (code, said) = desk.fails(&Desk::sign(&digest, "bo"));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("a key file is `file:bo`"), "{said}");
}

#[test]
fn words_stand_alike_on_every_screen() {
    let desk = Desk::new();
    desk.genesis();
    let key = json(&desk, &["key", "show", "bo.pub"]);
    let key = rows(key["fingerprint"]["words"].as_str().unwrap());
    assert!(desk.ok(&["key", "show", "bo.pub"]).contains(&key));
    let review = desk.ok(&["review", "event"]);
    assert!(review.contains(&key), "{key}{review}");
    let event = json(&desk, &["review", "event"]);
    assert!(review.contains(&rows(event["words"].as_str().unwrap())));
    let said = desk.ok(&["key", "new", "dora", "--passphrase-file", "passphrase"]);
    assert!(
        said.contains(
            "
words   to write on paper, with their numbers"
        ),
        "{said}"
    );
    desk.ok(&["invite", "invitation", "--name", "genesis 2026"]);
    let said = desk.ok(&[
        "join",
        "invitation",
        "--holder",
        "Bo",
        "--key",
        "file:bo",
        "--out",
        "proof",
        "--passphrase-file",
        "passphrase",
    ]);
    assert!(
        said.starts_with("Bo proves for `genesis 2026` the key "),
        "{said}"
    );
    assert!(said.contains(&key), "{said}");
}

#[test]
fn verify_has_the_words_and_transcript_the_machines() {
    let desk = Desk::new();
    let digest = desk.genesis();
    let event = json(&desk, &["review", "event"]);
    let (code, said) = desk.fails(&["verify", "event"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("what is in it so far holds"), "{said}");
    for key in ["file:ada", "file:bo", "file:targets", "file:bins"] {
        desk.ok(&Desk::sign(&digest, key));
    }
    desk.ok(&["combine", "event"]);
    let said = desk.ok(&["verify", "event"]);
    assert!(
        said.contains(&rows(event["words"].as_str().unwrap())),
        "{said}"
    );
    let said = desk.ok(&["transcript", "event"]);
    assert!(
        said.contains(" administrator planned ceremony.toml "),
        "{said}"
    );
    assert!(said.contains(" papers"), "{said}");
    assert!(!said.contains("papers/"), "{said}");
    let program = format!(
        " with countersign-ceremony {}, sha256 ",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(said.matches(&program).count(), 6, "{said}");
}

/// Whoever is refused repeats their own step, not that of the first holder.
#[test]
fn the_script_leads_each_holder_to_their_own_step() {
    let desk = Desk::new();
    desk.genesis();
    let script = fs::read_to_string(file(&desk, "papers/scripts/genesis.md")).unwrap();
    let mut steps = 0;
    for line in script.lines().filter(|line| line.contains("`C sign ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[1], cells[5], "{line}");
        steps += 1;
    }
    assert_eq!(steps, 3);
    let witness = fs::read_to_string(file(&desk, "papers/forms/witness.md")).unwrap();
    assert!(
        witness.contains("in the event `event` (genesis, planned on 20"),
        "{witness}"
    );
}
