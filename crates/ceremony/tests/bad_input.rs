//! What goes wrong at the table, as the program says it: one sentence, one thing to do next, and
//! nothing half-written that counts. A full disk and a token pulled out are in `tests/ceremonies`.

mod common;
mod desk;

use std::fs;
use std::path::PathBuf;

use chrono::{TimeDelta, Utc};
use common::{Keys, copy_folder, tamper};
use countersign_ceremony::{Event, GenesisPlan};
use desk::Desk;

/// The event of a desk, or a file in it.
fn file(desk: &Desk, name: &str) -> PathBuf {
    desk.path().join("event").join(name)
}

/// Everything that must be said, and the exit code.
fn says(desk: &Desk, arguments: &[&str], code: i32, words: &[&str]) {
    let (found, said) = desk.fails(arguments);
    assert_eq!(found, code, "{arguments:?}: {said}");
    for word in words {
        assert!(
            said.contains(word),
            "{arguments:?}: {word:?} is not in {said}"
        );
    }
}

/// A genesis that was signed and combined.
fn combined(desk: &Desk) -> String {
    let digest = desk.genesis();
    for key in ["file:ada", "file:bo", "file:targets", "file:bins"] {
        desk.ok(&Desk::sign(&digest, key));
    }
    desk.ok(&["combine", "event"]);
    digest
}

#[test]
fn an_entry_with_one_byte_changed_or_taken_out() {
    let desk = Desk::new();
    combined(&desk);
    let entry = file(&desk, "transcript/administrator.0001.json");
    let good = fs::read(&entry).unwrap();
    let hint = "hint: this copy of the event was changed or is not whole";
    // A digit of the minute at which it was planned.
    let text = String::from_utf8(good.clone()).unwrap();
    let at = text.find("\"time\":\"").unwrap() + "\"time\":\"2026-01-01T00:0".len();
    let mut changed = good.clone();
    changed[at] = if changed[at] == b'1' { b'0' } else { b'1' };
    fs::write(&entry, &changed).unwrap();
    let missing = ["follows an entry that is missing", hint];
    says(&desk, &["verify", "event"], 10, &missing);
    fs::remove_file(&entry).unwrap();
    says(&desk, &["verify", "event"], 10, &missing);
    fs::write(&entry, &good).unwrap();
    desk.ok(&["verify", "event"]);
}

#[test]
fn a_signature_by_a_key_that_is_not_in_the_role() {
    let desk = Desk::new();
    let digest = desk.genesis();
    desk.ok(&Desk::sign(&digest, "file:targets"));
    let folder = file(&desk, "signatures");
    let name = fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .file_name();
    let name = name.into_string().unwrap();
    let foreign = name.replace("targets.", "bins.");
    fs::rename(folder.join(&name), folder.join(&foreign)).unwrap();
    let hint = "hint: ";
    for command in ["status", "combine"] {
        says(&desk, &[command, "event"], 11, &[foreign.as_str(), hint]);
    }
}

#[test]
fn a_payload_changed_after_the_review() {
    let desk = Desk::new();
    let digest = desk.genesis();
    // Whoever changes it makes the description fit.
    let payload = file(&desk, "payload/1.targets.json");
    let before = metadata::Sha256::of(&fs::read(&payload).unwrap()).to_string();
    let text = fs::read_to_string(&payload).unwrap();
    let at = text.find("\"expires\":\"20").unwrap() + "\"expires\":\"20".len();
    let year: u32 = text[at..at + 2].parse().unwrap();
    let day = &text[at - 2..at + 18];
    let later = format!("20{}{}", year + 1, &day[4..]);
    tamper(&payload, day, &later);
    let after = metadata::Sha256::of(&fs::read(&payload).unwrap()).to_string();
    let description = file(&desk, "ceremony.toml");
    tamper(&description, &before, &after);
    tamper(&description, day, &later);
    says(
        &desk,
        &Desk::sign(&digest, "file:ada"),
        10,
        &[
            "does not have the digest that was given",
            "there are two events: stop",
        ],
    );
    assert!(desk::is_empty(&file(&desk, "signatures")));
}

#[test]
fn copies_with_files_that_differ() {
    let desk = Desk::new();
    let digest = desk.genesis();
    let other = desk.path().join("other");
    copy_folder(&file(&desk, ""), &other);
    // Ada's first step is another one on each machine.
    desk.ok(&["review", "other", "--holder", "Ada"]);
    desk.ok(&Desk::sign(&digest, "file:ada"));
    let before = fs::read_dir(file(&desk, "transcript")).unwrap().count();
    says(
        &desk,
        &["merge", "event", "other"],
        10,
        &[
            "ada.0001.json",
            "differs in the two copies",
            "hint: two machines",
        ],
    );
    assert_eq!(
        fs::read_dir(file(&desk, "transcript")).unwrap().count(),
        before
    );
}

#[test]
fn a_threshold_above_the_number_of_holders() {
    let desk = Desk::new();
    combined(&desk);
    says(
        &desk,
        &[
            "plan",
            "rotate-root",
            "next",
            "--from",
            "event/publish-set",
            "--after",
            "event",
            "--root-key=Ada=ada.pub,Bo=bo.pub,Cleo=cleo.pub",
            "--threshold=root=4",
        ],
        1,
        &[
            "error: root v2 breaks rules",
            "cause: ",
            "hint: plan the event anew",
        ],
    );
    assert!(!desk.path().join("next").exists());
}

/// The event was planned, and so its first entry written, an hour from now.
#[test]
fn a_clock_before_the_last_entry() {
    let desk = Desk::new();
    desk.key("ada");
    let keys = Keys::new();
    let plan = GenesisPlan {
        now: Utc::now() + TimeDelta::hours(1),
        ..keys.plan()
    };
    let event = Event::plan_genesis(&file(&desk, ""), &plan).unwrap();
    let digest = event.digest().to_string();
    says(
        &desk,
        &["review", "event", "--holder", "Ada"],
        1,
        &[
            "error: the clock says",
            "hint: set the clock of this machine",
        ],
    );
    assert_eq!(
        digest,
        Event::open(event.path()).unwrap().digest().to_string()
    );
    assert_eq!(fs::read_dir(file(&desk, "transcript")).unwrap().count(), 1);
}
