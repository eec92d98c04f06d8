//! Who does the work of a row: this program's crates, or the bare loop that sets the floor: it signs,
//! hashes and writes the same bytes and nothing else.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use draft::SignedFile;
use keys::KeyType;
use metadata::{Sha256, Wire};
use repository::{LocalStore, Store, StorePath};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use tempfile::TempDir;

use crate::meter::Meter;

/// Who works.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Ours,
    Floor,
}

/// A worker with its clock, its key if it is the floor, and a folder if files are to be written.
pub(crate) struct Work {
    who: Who,
    pub(crate) meter: Meter,
    pair: Pair,
    rng: SystemRandom,
    folder: Option<Folder>,
}

struct Folder {
    place: TempDir,
    store: LocalStore,
    written: Vec<PathBuf>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Work {
    pub(crate) fn new(who: Who, key_type: KeyType, stored: bool) -> Self {
        let rng = SystemRandom::new();
        let pair = match key_type {
            KeyType::Ed25519 => {
                let document = Ed25519KeyPair::generate_pkcs8(&rng).unwrap();
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
            }
            KeyType::EcdsaP256 => {
                let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
                let document = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
                let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &rng).unwrap();
                assert_eq!(pair.public_key().as_ref().len(), 65);
                Pair::P256(pair)
            }
        };
        let folder = stored.then(|| {
            let place = tempfile::tempdir().unwrap();
            fs::create_dir(place.path().join("metadata")).unwrap();
            let store = LocalStore::open(place.path()).unwrap();
            let written = Vec::new();
            Folder {
                place,
                store,
                written,
            }
        });
        Self {
            who,
            meter: Meter::start(),
            pair,
            rng,
            folder,
        }
    }

    /// Times making one signed file and writing it; the floor is given the finished bytes.
    pub(crate) fn file(&mut self, make: impl FnOnce() -> SignedFile) -> SignedFile {
        if self.who == Who::Ours {
            let file = self.meter.time(make);
            if let Some(folder) = &mut self.folder {
                self.meter.time(|| put(&mut folder.store, &file));
            }
            return file;
        }
        let file = make();
        let signed = Wire::parse(file.bytes(), 1).unwrap().canonical.into_owned();
        self.meter.time(|| {
            match &self.pair {
                Pair::Ed25519(pair) => assert_eq!(pair.sign(&signed).as_ref().len(), 64),
                Pair::P256(pair) => drop(pair.sign(&self.rng, &signed).unwrap()),
            }
            assert_eq!(Sha256::of(file.bytes()), file.sha256());
        });
        if let Some(folder) = &mut self.folder {
            let path = folder.place.path().join("metadata").join(file.file_name());
            self.meter.time(|| write(&path, file.bytes()));
            folder.written.push(path);
        }
        file
    }

    /// Times making everything written durable.
    pub(crate) fn flush(&mut self) {
        let Some(folder) = &mut self.folder else {
            return;
        };
        let written = std::mem::take(&mut folder.written);
        match self.who {
            Who::Ours => self.meter.time(|| folder.store.flush().unwrap()),
            Who::Floor => self.meter.time(|| {
                for path in &written {
                    File::open(path).unwrap().sync_all().unwrap();
                }
                let folder = folder.place.path().join("metadata");
                File::open(folder).unwrap().sync_all().unwrap();
            }),
        }
    }
}

fn put(store: &mut LocalStore, file: &SignedFile) {
    let path = StorePath::metadata(&file.file_name()).unwrap();
    if *file.role() == metadata::Role::Timestamp {
        store.put_pointer(&path, file.bytes()).unwrap();
    } else {
        store.put_new(&path, file.bytes()).unwrap();
    }
}

fn write(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}
