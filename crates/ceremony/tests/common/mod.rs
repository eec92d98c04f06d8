//! Keys, plans and folders that the tests share.
// Each test program uses its own part.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use countersign_ceremony::{CeremonyError, Event, EventFlaw, GenesisPlan, HeldKey};
use keys::{FileKey, KeyType, Signer};
use ring::rand::SystemRandom;

pub(crate) struct Keys {
    pub(crate) root: [FileKey; 3],
    pub(crate) targets: FileKey,
    pub(crate) bins: FileKey,
    pub(crate) online: FileKey,
}

pub(crate) fn new_key(key_type: KeyType) -> FileKey {
    FileKey::generate(key_type, &SystemRandom::new()).unwrap()
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self {
            root: [KeyType::Ed25519, KeyType::EcdsaP256, KeyType::Ed25519].map(new_key),
            targets: new_key(KeyType::Ed25519),
            bins: new_key(KeyType::EcdsaP256),
            online: new_key(KeyType::Ed25519),
        }
    }

    pub(crate) fn plan(&self) -> GenesisPlan<'static> {
        let held = |holder: &str, key: &FileKey| HeldKey {
            holder: holder.to_owned(),
            key: key.public_key().clone(),
        };
        let online = held("signer", &self.online);
        let root = ["Ada", "Bo", "Cleo"].iter().zip(&self.root);
        GenesisPlan {
            policy: policy::Policy::built_in_text("rehearsal").unwrap(),
            layout: None,
            now: now(),
            root: root.map(|(name, key)| held(name, key)).collect(),
            targets: vec![held("Ada", &self.targets)],
            bins: vec![held("Bo", &self.bins)],
            snapshot: vec![online.clone()],
            timestamp: vec![online],
        }
    }
}

pub(crate) fn now() -> DateTime<Utc> {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn planned(base: &tempfile::TempDir) -> (Keys, PathBuf) {
    let keys = Keys::new();
    let path = base.path().join("event");
    Event::plan_genesis(&path, &keys.plan()).unwrap();
    (keys, path)
}

pub(crate) fn signed(base: &tempfile::TempDir) -> (Keys, PathBuf) {
    let (keys, path) = planned(base);
    for key in [&keys.root[0], &keys.root[2], &keys.targets, &keys.bins] {
        Event::open(&path).unwrap().sign(key, now()).unwrap();
    }
    (keys, path)
}

/// Replaces a file's text, as somebody with the folder could.
pub(crate) fn tamper(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

pub(crate) fn flaw(result: Result<impl Sized, CeremonyError>) -> EventFlaw {
    match result.err().expect("refused") {
        CeremonyError::Event { flaw, .. } => flaw,
        other => panic!("{other:?}"),
    }
}

/// A copy of an event, as it goes to a holder.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Whether a folder has nothing in it.
pub(crate) fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}
