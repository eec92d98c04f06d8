//! A genesis from plan to publish-set, with real keys and real folders; then everything that must
//! stop it.

mod common;

use std::fs;

use chrono::TimeDelta;
use common::{Keys, copy_folder, flaw, is_empty, new_key, now, planned, signed, tamper};
use countersign_ceremony::{CeremonyError, Event, EventFlaw, GenesisPlan};
use keys::{FileKey, KeyType, Signer};
use metadata::{Document, Role, Root, Sha256, Targets, Wire};
use trust::{RootChain, Rules};

#[test]
fn a_genesis_ends_in_files_that_clients_accept() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = signed(&base);
    let event = Event::open(&path).unwrap();
    assert!(event.status().unwrap().is_complete());
    let set = event.combine(now()).unwrap();
    let names: Vec<String> = set.files.iter().map(draft::SignedFile::file_name).collect();
    assert_eq!(names, ["1.root.json", "1.targets.json", "1.bins.json"]);

    let read = |name: &str| fs::read(set.folder.join(name)).unwrap();
    let chain = RootChain::pinned(&read("1.root.json"), Rules::default()).unwrap();
    let root: &Root = chain.root();
    assert_eq!(root.root.threshold, 2);
    assert!(root.keys.contains_key(keys.online.key_id()));
    for name in ["1.targets.json", "1.bins.json"] {
        let file = read(name);
        let wire = Wire::parse(&file, 8).unwrap();
        assert_eq!(wire.signatures.len(), 1);
        Targets::parse(wire.signed).unwrap();
    }
    assert!(chain.close(now() + TimeDelta::hours(11)).is_ok());

    // Combining and verifying again changes nothing, on any later day.
    event.combine(now()).unwrap();
    let verdict = Event::open(&path).unwrap().verify().unwrap();
    assert_eq!(verdict.files.len(), 3);
    assert_eq!(verdict.roles[0].signed, ["Ada", "Cleo"]);
    assert_eq!(verdict.roles[0].missing, ["Bo"]);
}

#[test]
fn too_few_signatures_publish_nothing() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = planned(&base);
    let event = Event::open(&path).unwrap();
    event.sign(&keys.root[1], now()).unwrap();
    let error = event.combine(now()).unwrap_err();
    assert!(
        matches!(&error, CeremonyError::TooFew(one) if one.role == Role::Root),
        "{error}"
    );
    assert!(!event.publish_set_path().exists());
    assert!(event.verify().is_err());
    let status = event.status().unwrap();
    assert!(!status.is_complete());
    let root = &status.roles[0];
    assert_eq!(
        (root.signed.as_slice(), root.threshold),
        (["Bo".to_owned()].as_slice(), 2)
    );
}

#[test]
fn signing_twice_is_harmless_and_a_foreign_key_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = planned(&base);
    let event = Event::open(&path).unwrap();
    let first = event.sign(&keys.root[1], now()).unwrap();
    let again = event.sign(&keys.root[1], now()).unwrap();
    assert_eq!(
        (first.len(), first[0].was_there, again[0].was_there),
        (1, false, true)
    );
    for foreign in [&new_key(KeyType::Ed25519), &keys.online] {
        let refused = event.sign(foreign, now());
        assert!(matches!(refused, Err(CeremonyError::NoRole { .. })));
    }
}

/// The rules run again before every signature: here a policy's lifetime has gone by.
#[test]
fn nothing_expired_is_signed() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = planned(&base);
    let late = now() + TimeDelta::hours(7);
    let refused = Event::open(&path).unwrap().sign(&keys.root[0], late);
    assert!(matches!(refused, Err(CeremonyError::Refused(_))));
    assert!(is_empty(&path.join("signatures")));
}

#[test]
fn a_changed_payload_policy_or_description_stops_everything() {
    for (file, from, to) in [
        ("payload/1.root.json", "\"threshold\":2", "\"threshold\":1"),
        ("policy.toml", "threshold = 2", "threshold = 1"),
    ] {
        let base = tempfile::tempdir().unwrap();
        let (_, path) = signed(&base);
        tamper(&path.join(file), from, to);
        assert!(
            matches!(flaw(Event::open(&path)), EventFlaw::Digest { .. }),
            "{file}"
        );
    }
    for (from, to) in [
        ("holder = \"Bo\"", "holder = \"Bo\"\nmore = 1"),
        ("holder = \"Bo\"", "holder = \"B\\u0007o\""),
        ("holder = \"Cleo\"", "holder = \"Ada\""),
        ("format = 1", "format = 2"),
        ("roles = [\"targets\"]", "roles = [\"root\"]"),
        ("version = 1", "version = 2"),
        ("count = 16", "count = 17"),
        ("keyid = \"", "keyid = \"0"),
        ("2030-01-01T12:00:00Z", "2030-01-01T13:00:00Z"),
    ] {
        let base = tempfile::tempdir().unwrap();
        let (_, path) = signed(&base);
        tamper(&path.join("ceremony.toml"), from, to);
        assert!(Event::open(&path).is_err(), "{from}");
    }
    // Another number of bins is one that the documents do not have.
    let base = tempfile::tempdir().unwrap();
    let (_, path) = signed(&base);
    tamper(&path.join("ceremony.toml"), "count = 16", "count = 32");
    let refused = Event::open(&path).unwrap().combine(now());
    assert!(matches!(refused, Err(CeremonyError::Refused(_))));
}

/// Somebody who changes a payload and the digest beside it finds the signatures made before.
#[test]
fn signatures_hold_for_the_reviewed_bytes_only() {
    let base = tempfile::tempdir().unwrap();
    let (_, path) = signed(&base);
    let payload = path.join("payload/1.root.json");
    let before = Sha256::of(&fs::read(&payload).unwrap()).to_string();
    tamper(&payload, "2030-01-01T12", "2030-01-01T11");
    let after = Sha256::of(&fs::read(&payload).unwrap()).to_string();
    tamper(&path.join("ceremony.toml"), &before, &after);
    tamper(
        &path.join("ceremony.toml"),
        "2030-01-01T12",
        "2030-01-01T11",
    );
    let event = Event::open(&path).unwrap();
    assert!(matches!(
        flaw(event.combine(now())),
        EventFlaw::OtherPayload { .. }
    ));
    assert!(!event.publish_set_path().exists());
}

#[test]
fn changed_foreign_and_stray_signatures_are_refused() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = signed(&base);
    let folder = path.join("signatures");
    let name = |role: &str, key: &FileKey| folder.join(format!("{role}.{}.json", key.key_id()));
    let event = Event::open(&path).unwrap();

    let own = name("root", &keys.root[0]);
    let good = fs::read(&own).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&good).unwrap();
    let sig = json["sig"].as_str().unwrap();
    let other = if sig.starts_with("00") { "11" } else { "00" };
    tamper(
        &own,
        &format!("\"sig\":\"{}", &sig[..2]),
        &format!("\"sig\":\"{other}"),
    );
    // It held when it was given: the copy is damaged, not the signature wrong.
    assert!(matches!(flaw(event.status()), EventFlaw::Transcript { .. }));
    fs::write(&own, &good[..good.len() / 2]).unwrap();
    let cut = flaw(event.combine(now()));
    assert!(matches!(cut, EventFlaw::Transcript { .. }));
    fs::write(&own, &good).unwrap();

    // The same that nobody's step made: of another key, said to be this one, cut.
    let unrecorded = name("root", &keys.root[1]);
    let (ada, bo) = (keys.root[0].key_id(), keys.root[1].key_id());
    let text = String::from_utf8(good.clone()).unwrap();
    for bytes in [good.clone(), text.replace(ada.as_str(), bo.as_str()).into()] {
        fs::write(&unrecorded, bytes).unwrap();
        assert!(matches!(flaw(event.status()), EventFlaw::Signature { .. }));
    }
    fs::write(&unrecorded, &good[..good.len() / 2]).unwrap();
    assert!(matches!(flaw(event.combine(now())), EventFlaw::Json(_)));
    fs::remove_file(&unrecorded).unwrap();

    let foreign = name("root", &keys.online);
    fs::write(&foreign, &good).unwrap();
    assert!(matches!(flaw(event.status()), EventFlaw::ForeignKey { .. }));
    fs::remove_file(&foreign).unwrap();

    fs::write(folder.join("timestamp.00.json"), &good).unwrap();
    assert!(matches!(flaw(event.status()), EventFlaw::Stray));
}

#[test]
fn a_published_file_that_does_not_follow_is_found() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = signed(&base);
    let event = Event::open(&path).unwrap();
    let late = base.path().join("late");
    copy_folder(&path, &late);
    event.combine(now()).unwrap();
    let made = fs::read(path.join("publish-set/1.root.json")).unwrap();
    event.verify().unwrap();
    // A signature that comes after the files were made would make other files of one version.
    let refused = event.sign(&keys.root[1], now());
    assert!(matches!(refused, Err(CeremonyError::Combined { .. })));
    // From a copy that did not know of the files it is kept, and changes nothing.
    let late_event = Event::open(&late).unwrap();
    late_event.sign(&keys.root[1], now()).unwrap();
    assert_eq!(event.merge(&[&late], now()).unwrap(), 2);
    let again = event.combine(now()).unwrap();
    assert_eq!(again.files[0].bytes(), made);
    event.verify().unwrap();
    assert_eq!(event.status().unwrap().roles[0].signed.len(), 3);
    // Made with it, the file would be another one.
    let file = path.join("publish-set/1.root.json");
    late_event.combine(now()).unwrap();
    fs::copy(late.join("publish-set/1.root.json"), file).unwrap();
    assert!(matches!(flaw(event.verify()), EventFlaw::Digest { .. }));
}

type Change = fn(&mut GenesisPlan<'_>);

#[test]
fn plans_that_cannot_be_are_refused_and_leave_no_folder() {
    let keys = Keys::new();
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("event");
    let changes: [(Change, &str); 4] = [
        (
            |plan| plan.root[1].holder = "Ada".to_owned(),
            "two keys of one role",
        ),
        (
            |plan| plan.root[1].key = plan.root[0].key.clone(),
            "same key",
        ),
        (|plan| plan.targets = plan.snapshot.clone(), "separate-keys"),
        (|plan| drop(plan.root.pop()), "policy-threshold"),
    ];
    for (change, expected) in changes {
        let mut plan = keys.plan();
        change(&mut plan);
        let error = Event::plan_genesis(&path, &plan).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!path.exists());
    }
    Event::plan_genesis(&path, &keys.plan()).unwrap();
    let again = Event::plan_genesis(&path, &keys.plan());
    assert!(matches!(again, Err(CeremonyError::Exists { .. })));
}

#[test]
fn a_review_says_what_is_signed_in_words() {
    let base = tempfile::tempdir().unwrap();
    let (_, path) = planned(&base);
    let event = Event::open(&path).unwrap();
    let review = event.review().unwrap();
    assert_eq!(
        review.digest,
        Sha256::of(&fs::read(path.join("ceremony.toml")).unwrap())
    );
    let roles: Vec<String> = review
        .roles
        .iter()
        .map(|one| one.role.to_string())
        .collect();
    assert_eq!(roles, ["root", "targets", "bins"]);
    let root = &review.roles[0];
    assert_eq!(
        root.sha256,
        Sha256::of(&fs::read(path.join("payload/1.root.json")).unwrap())
    );
    let said = root.changes.join("\n");
    for words in [
        "root: key of Ada (",
        "root: 2 of 3 must sign",
        "snapshot: key of signer (",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(root.concerns, [""; 0]);
    assert_eq!(review.roles[1].concerns.len(), 1);
}
