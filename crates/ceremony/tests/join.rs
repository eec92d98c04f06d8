//! Keys proved for an invitation before the plan, kept with the event, and every proof that is none.

mod common;

use std::fs;
use std::path::Path;

use common::{Keys, flaw, now, signed, tamper};
use countersign_ceremony::{CeremonyError, Event, EventFlaw, Hardware, Invitation, Join};
use keys::{FileKey, Signer, TokenInfo};

/// What a token would say of itself.
fn token(serial: &str) -> TokenInfo {
    TokenInfo {
        slot_id: 0,
        label: "root".to_owned(),
        manufacturer: "SoftHSM project".to_owned(),
        model: "SoftHSM v2".to_owned(),
        serial: serial.to_owned(),
        hardware: (2, 6),
        firmware: (2, 6),
        login_required: true,
        pinpad: false,
        pin: keys::PinState::Untried,
    }
}

fn prove(invitation: &Invitation, holder: &str, key: &FileKey, serial: &str) -> Vec<u8> {
    let hardware = Hardware {
        token: Some(&token(serial)),
        attestation: Vec::new(),
    };
    Join::prove(invitation, holder, key, &hardware, now()).unwrap()
}

fn check(file: &[u8], invitation: &Invitation) -> Result<(), CeremonyError> {
    Join::check(Path::new("join"), file, invitation).map(drop)
}

#[test]
fn proofs_are_kept_with_the_event() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = signed(&base);
    let invitation = Invitation::new("genesis 2030").unwrap();
    let file = invitation.to_file().unwrap();
    assert_eq!(
        Invitation::parse(Path::new("i"), &file).unwrap(),
        invitation
    );
    let proofs: Vec<Vec<u8>> = ["Ada", "Bo", "Cleo"]
        .iter()
        .zip(&keys.root)
        .map(|(name, key)| prove(&invitation, name, key, name))
        .collect();
    let event = Event::open(&path).unwrap();
    event.keep_joins(&invitation, &proofs, now()).unwrap();
    event.combine(now()).unwrap();
    event.verify().unwrap();

    let proof = path
        .join("joins")
        .join(format!("{}.json", keys.root[0].key_id()));
    let good = fs::read(&proof).unwrap();
    tamper(&proof, "\"serial\":\"Ada\"", "\"serial\":\"Adb\"");
    assert!(matches!(flaw(event.verify()), EventFlaw::Transcript { .. }));
    fs::remove_file(&proof).unwrap();
    assert!(matches!(flaw(event.verify()), EventFlaw::Transcript { .. }));
    fs::write(&proof, good).unwrap();
    event.verify().unwrap();
}

#[test]
fn a_proof_is_for_one_invitation_one_holder_one_key() {
    let keys = Keys::new();
    let [one, two] = ["one", "two"].map(|name| Invitation::new(name).unwrap());
    let proof = prove(&one, "Ada", &keys.root[0], "1");
    check(&proof, &one).unwrap();
    assert!(matches!(flaw(check(&proof, &two)), EventFlaw::Join { .. }));
    let text = String::from_utf8(proof).unwrap();
    let other = keys.root[2].public_key().public();
    for (from, to) in [
        ("\"holder\":\"Ada\"", "\"holder\":\"Bob\""),
        (keys.root[0].public_key().public(), other),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert!(check(changed.as_bytes(), &one).is_err(), "{from}");
    }
    for cut in [0, 1, text.len() / 2, text.len() - 1] {
        assert!(check(&text.as_bytes()[..cut], &one).is_err());
    }
}

#[test]
fn one_device_is_one_person_and_foreign_keys_do_not_join() {
    let base = tempfile::tempdir().unwrap();
    let keys = Keys::new();
    let invitation = Invitation::new("genesis").unwrap();
    let plan = |name: &str| Event::plan_genesis(&base.path().join(name), &keys.plan()).unwrap();
    let shared = ["Ada", "Bo"].iter().zip(&keys.root);
    let shared: Vec<Vec<u8>> = shared
        .map(|(name, key)| prove(&invitation, name, key, "the same"))
        .collect();
    let refused = plan("shared").keep_joins(&invitation, &shared, now());
    assert!(matches!(flaw(refused), EventFlaw::Join { .. }));
    assert!(!base.path().join("shared/joins").exists());
    // Two keys of one person may be on one device.
    let own = [
        prove(&invitation, "Ada", &keys.root[0], "Ada's"),
        prove(&invitation, "Ada", &keys.targets, "Ada's"),
    ];
    plan("own").keep_joins(&invitation, &own, now()).unwrap();
    for (name, key) in [
        ("Bo", &keys.root[0]),
        ("Zoe", &common::new_key(keys::KeyType::Ed25519)),
    ] {
        let proof = prove(&invitation, name, key, name);
        let refused = plan(name).keep_joins(&invitation, &[proof], now());
        assert!(matches!(flaw(refused), EventFlaw::Join { .. }));
    }
}
