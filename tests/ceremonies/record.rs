//! The rehearsal that is checked in: a genesis with three of five root keys, a rotation and a claim, held
//! with tokens in software every time, and once recorded. A stranger's `verify` accepts the recording.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_tests::environment::{clean_command, program, said};

use crate::claims;
use crate::desk::{Desk, copy_folder};

const EVENTS: [&str; 3] = ["1-genesis", "2-rotate-root", "3-claim"];

/// Where the recording is.
fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../keys-ceremony/rehearsal")
}

/// The rehearsal policy with five root keys, three of which sign, and with developers.
fn three_of_five() -> String {
    let text = policy::Policy::built_in_text("rehearsal").unwrap();
    let text = text.replacen("keys = 3 ", "keys = 5 ", 1);
    let text = text.replacen("threshold = 2 ", "threshold = 3 ", 1);
    claims::developers_sign(&text.replace("name = \"rehearsal\"", "name = \"three-of-five\""))
}

/// Held anew each time. With `COUNTERSIGN_RECORD_REHEARSAL` the events go to that folder, which must
/// not hold any yet.
#[test]
fn three_of_five_hold_a_genesis_a_rotation_and_a_claim() {
    let mut desk = Desk::under("policy.toml", Some(&three_of_five()));
    let people = ["Ada", "Bo", "Cleo", "Dana", "Eve"];
    desk.ok(&["invite", "invitation.json", "--name", "genesis"]);
    let mut keys = Vec::new();
    for holder in people {
        let token = holder.to_lowercase();
        desk.token(&token);
        desk.key(&token, "root", "ed25519");
        desk.join(holder, &token, "root");
        keys.push(format!("--root-key={holder}={token}-root.join"));
    }
    for (holder, token, object) in [("Ada", "ada", "targets"), ("Bo", "bo", "bins")] {
        desk.key(token, object, "ecdsa-p256");
        desk.join(holder, token, object);
        keys.push(format!("--{object}-key={holder}={token}-{object}.join"));
    }
    desk.online_key("online");
    keys.push("--online-key=signer=online.pub".to_owned());
    keys.push("--invitation=invitation.json".to_owned());
    let arguments: Vec<&str> = keys.iter().map(String::as_str).collect();
    let event = desk.plan("genesis", &arguments);
    let uri = Desk::uri;
    desk.sign(
        &event,
        "Ada",
        &[&uri("ada", "root"), &uri("ada", "targets")],
    );
    desk.sign(&event, "Bo", &[&uri("bo", "root"), &uri("bo", "bins")]);
    desk.sign(&event, "Dana", &[&uri("dana", "root")]);
    desk.publish(&event);

    let mut keys = vec!["--invitation=second.json".to_owned()];
    desk.ok(&["invite", "second.json", "--name", "rotation"]);
    for holder in ["Ada", "Bo", "Fay", "Gil", "Hana"] {
        let token = holder.to_lowercase();
        if !people.contains(&holder) {
            desk.token(&token);
            desk.key(&token, "root", "ecdsa-p256");
        }
        desk.join_for("second.json", holder, &token, "root");
        keys.push(format!("--root-key={holder}={token}-root.join"));
    }
    let arguments: Vec<&str> = keys.iter().map(String::as_str).collect();
    let event = desk.plan("rotate-root", &arguments);
    for holder in ["Gil", "Ada", "Cleo", "Bo"] {
        desk.sign(&event, holder, &[&uri(&holder.to_lowercase(), "root")]);
    }
    desk.publish(&event);
    assert_eq!(EVENTS[1], event);
    assert_eq!(EVENTS[2], claim(&mut desk));
    if let Some(folder) = std::env::var_os("COUNTERSIGN_RECORD_REHEARSAL") {
        for event in EVENTS {
            let target = Path::new(&folder).join(event);
            assert!(
                !target.exists(),
                "{} is never overwritten",
                target.display()
            );
            copy_folder(&desk.path(event), &target);
        }
    }
}

/// A project is moved to its offline role, by two holders who are new and the one of targets.
fn claim(desk: &mut Desk) -> String {
    claims::developers_release(desk);
    desk.ok(&["invite", "third.json", "--name", "claim"]);
    for (holder, token, object) in [("Dana", "dana", "claimed"), ("Hana", "hana", "shard")] {
        desk.key(token, object, "ed25519");
        desk.join_for("third.json", holder, token, object);
    }
    let export = claims::export(desk, "claims.json");
    let event = desk.plan(
        "claim",
        &[
            &export,
            "--invitation=third.json",
            "--claimed-key=Dana=dana-claimed.join",
            "--claimed-shard-key=Hana=hana-shard.join",
        ],
    );
    let uri = Desk::uri;
    desk.sign(&event, "Ada", &[&uri("ada", "targets")]);
    desk.sign(&event, "Dana", &[&uri("dana", "claimed")]);
    desk.sign(&event, "Hana", &[&uri("hana", "shard")]);
    desk.publish(&event);
    event
}

fn verify(event: &Path, more: &[&str]) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let output = clean_command(program("countersign-ceremony"), home.path())
        .arg("verify")
        .arg(event)
        .args(more)
        .output()
        .unwrap();
    (output.status.code(), said(&output))
}

#[test]
fn the_recorded_rehearsal_verifies() {
    for event in EVENTS {
        let (code, said) = verify(&recording().join(event), &[]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.ends_with("everything in this event holds\n"), "{said}");
    }
    let second = recording().join(EVENTS[1]);
    let against = second.join("publish-set");
    let (code, said) = verify(&second, &["--against", against.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    // The control: one byte of one entry, in a copy.
    let base = tempfile::tempdir().unwrap();
    let copy = base.path().join("copy");
    copy_folder(&second, &copy);
    let entry = copy.join("transcript/gil.0001.json");
    let text = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, text.replacen("\"note\":\"\"", "\"note\":\" \"", 1)).unwrap();
    let (code, said) = verify(&copy, &[]);
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("follows an entry that is missing"), "{said}");
    assert!(
        said.contains("hint: this copy of the event was changed"),
        "{said}"
    );
}
