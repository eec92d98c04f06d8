//! Signatures by other programs, and the end of keys made for one ceremony.

mod common;

use std::fs;

use common::{is_empty, now, planned, signed};
use countersign_ceremony::{CeremonyError, Event, EventFlaw, Step};
use keys::{FileKey, Kdf, KeyType, Passphrase, Signer};
use metadata::Role;

/// The two numbers of an ECDSA signature, as tokens give them.
fn raw_numbers(der: &[u8]) -> Vec<u8> {
    let (mut rest, mut out) = (&der[2..], Vec::new());
    while let [2, length, more @ ..] = rest {
        let (number, after) = more.split_at(usize::from(*length));
        let number = &number[number.len().saturating_sub(32)..];
        out.extend(std::iter::repeat_n(0, 32 - number.len()));
        out.extend(number);
        rest = after;
    }
    out
}

#[test]
fn signatures_come_in_every_usual_form() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = planned(&base);
    let event = Event::open(&path).unwrap().acting_as("Ada").unwrap();
    let payload = event.export_payload(&Role::Root, now()).unwrap().to_vec();
    assert_eq!(payload, fs::read(path.join("payload/1.root.json")).unwrap());
    let [ada, bo, cleo] = &keys.root;
    // Ada's and Cleo's keys are Ed25519, Bo's is P-256.
    let hex = format!("{}\n", hex::encode(ada.sign(&payload).unwrap().bytes));
    let given = event.import_signature(&Role::Root, hex.as_bytes(), now());
    assert!(!given.unwrap().was_there);
    let raw = cleo.sign(&payload).unwrap().bytes;
    event.import_signature(&Role::Root, &raw, now()).unwrap();
    let numbers = raw_numbers(&bo.sign(&payload).unwrap().bytes);
    assert_eq!(numbers.len(), 64);
    event
        .import_signature(&Role::Root, &numbers, now())
        .unwrap();
    // DER this time, and another signature of the same key: the first stays.
    let der = bo.sign(&payload).unwrap().bytes;
    let again = event.import_signature(&Role::Root, &der, now()).unwrap();
    assert!(again.was_there);
    let status = event.status().unwrap();
    assert_eq!(status.roles[0].signed, ["Ada", "Bo", "Cleo"]);
    let transcript = event.transcript().unwrap();
    let imported = |one: &&&countersign_ceremony::Entry| one.step == Step::Imported;
    assert_eq!(transcript.entries().iter().filter(imported).count(), 3);

    event.sign(&keys.targets, now()).unwrap();
    event.sign(&keys.bins, now()).unwrap();
    event.combine(now()).unwrap();
    event.verify().unwrap();
}

#[test]
fn what_is_no_signature_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = planned(&base);
    let event = Event::open(&path).unwrap();
    let payload = event.export_payload(&Role::Root, now()).unwrap();
    let foreign = keys.online.sign(payload).unwrap().bytes;
    let other = keys.root[0].sign(b"something else").unwrap().bytes;
    for bytes in [&foreign, &other, &Vec::new(), &vec![0; 64]] {
        let refused = event.import_signature(&Role::Root, bytes, now());
        assert!(matches!(
            refused,
            Err(CeremonyError::ForeignSignature { .. })
        ));
    }
    let snapshot = event.export_payload(&Role::Snapshot, now());
    assert!(matches!(snapshot, Err(CeremonyError::NoPayload { .. })));
    assert!(is_empty(&path.join("signatures")));
    // A payload that somebody changed is not given out.
    common::tamper(&path.join("payload/1.root.json"), "2030", "2031");
    let changed = common::flaw(Event::open(&path));
    assert!(matches!(changed, EventFlaw::Digest { .. }), "{changed}");
}

#[test]
fn a_key_is_destroyed_after_it_has_served() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = signed(&base);
    let file = base.path().join("targets.pem");
    let passphrase = Passphrase::new("one time".to_owned()).unwrap();
    let quick = Kdf::Scrypt {
        log_n: 14,
        r: 8,
        p: 1,
    };
    keys.targets
        .save_encrypted(&file, &passphrase, quick)
        .unwrap();
    let event = Event::open(&path).unwrap();
    let early = event.destroy(&keys.targets, &file, now());
    assert!(
        early.is_err() && file.exists(),
        "the files are not made yet"
    );
    event.combine(now()).unwrap();
    let stranger = FileKey::generate(KeyType::Ed25519, &ring::rand::SystemRandom::new()).unwrap();
    let refused = event.destroy(&stranger, &file, now());
    assert!(matches!(refused, Err(CeremonyError::NoRole { .. })) && file.exists());
    event.destroy(&keys.targets, &file, now()).unwrap();
    assert!(!file.exists());
    let verdict = event.verify().unwrap();
    let last = verdict.transcript.entries();
    let last = last.iter().find(|one| one.step == Step::Destroyed).unwrap();
    assert_eq!(last.holder, "Ada");
    assert!(
        last.note.contains(keys.targets.key_id().as_str()),
        "{}",
        last.note
    );
    assert!(last.note.contains("may retain the old bytes"));
}
