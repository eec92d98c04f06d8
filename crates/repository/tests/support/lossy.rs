//! A loss of power, as a local file system without barriers may have it: of what was written since the
//! last flush, any subset is there afterwards, whole or in part.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use countersign_repository::{
    LocalStore, Parts, Repository, Store, StoreError, StorePath, UploadPlace,
};

/// A small generator of numbers that are the same for one seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, sides: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

/// How an object was written; what may be left of it follows from that.
#[derive(Clone, Debug)]
enum Write {
    /// A new name for bytes that were not synced.
    New,
    /// A new name for bytes that were synced before the name was given.
    Synced,
    /// The same over an older file.
    Replaced(Vec<u8>),
    /// A name taken away.
    Removed(Vec<u8>),
}

#[derive(Default)]
struct Unsynced {
    writes: Vec<(PathBuf, Write)>,
    left: usize,
}

/// What has not been synced, and how many writes there are until the power fails.
#[derive(Clone, Default)]
pub struct Power(Arc<Mutex<Unsynced>>);

impl Power {
    /// Fails after so many writes and flushes.
    pub fn failing_after(writes: usize) -> Self {
        let power = Self::default();
        power.0.lock().unwrap().left = writes;
        power
    }

    fn step(&self) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap();
        inner.left = inner
            .left
            .checked_sub(1)
            .ok_or_else(|| io::Error::other("the power failed"))?;
        Ok(())
    }

    /// Leaves of everything unsynced what the dice say. Says how much was lost.
    pub fn fail(&self, dice: &mut Dice) -> usize {
        let mut inner = self.0.lock().unwrap();
        let mut lost = 0;
        let mut latest = BTreeMap::new();
        for (number, (path, _)) in inner.writes.iter().enumerate() {
            latest.insert(path.clone(), number);
        }
        for (number, (path, write)) in std::mem::take(&mut inner.writes).into_iter().enumerate() {
            if latest[&path] != number {
                // Two renames of one name may be lost together: then the first decides.
                continue;
            }
            lost += usize::from(lose(&path, &write, dice));
        }
        lost
    }
}

fn lose(path: &Path, write: &Write, dice: &mut Dice) -> bool {
    // A file of its own: a linked upload keeps its bytes, which were synced.
    let put = |bytes: &[u8]| {
        let _ = fs::remove_file(path);
        fs::write(path, bytes).unwrap();
    };
    match (write, dice.below(4)) {
        (_, 0) => return false,
        (Write::New, 1) => put(b""),
        (Write::New, 2) => {
            let bytes = fs::read(path).unwrap();
            let length = dice.below(bytes.len() as u64) as usize;
            // Whole blocks of zeros are what an unwritten extent reads as.
            let zeros = vec![0; bytes.len() - length];
            put(&[&bytes[..length], &zeros].concat());
        }
        (Write::New | Write::Synced, _) => fs::remove_file(path).unwrap(),
        (Write::Replaced(old) | Write::Removed(old), _) => put(old),
    }
    true
}

struct LossyStore {
    inner: LocalStore,
    power: Power,
}

impl LossyStore {
    fn run(
        &mut self,
        path: &StorePath,
        write: Write,
        act: impl FnOnce(&mut LocalStore) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.power.step().map_err(|source| StoreError::Io {
            doing: "write",
            path: path.clone(),
            source,
        })?;
        let at = self.inner.root().join(path.as_str());
        let before = fs::read(&at).ok();
        act(&mut self.inner)?;
        let write = match (before, write) {
            // It was there already, or is as it was.
            (Some(old), Write::New | Write::Synced)
                if fs::read(&at).ok().as_ref() == Some(&old) =>
            {
                return Ok(());
            }
            (Some(old), Write::Removed(_)) => Write::Removed(old),
            (None, Write::Removed(_)) => return Ok(()),
            (Some(old), _) => Write::Replaced(old),
            (None, write) => write,
        };
        self.power.0.lock().unwrap().writes.push((at, write));
        Ok(())
    }
}

impl Store for LossyStore {
    fn put_new(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        self.run(path, Write::New, |store| store.put_new(path, bytes))
    }
    fn put_new_upload(&mut self, path: &StorePath, upload: &UploadPlace) -> Result<(), StoreError> {
        self.run(path, Write::Synced, |store| {
            store.put_new_upload(path, upload)
        })
    }
    fn replace_by_upload(
        &mut self,
        path: &StorePath,
        upload: &UploadPlace,
    ) -> Result<(), StoreError> {
        self.run(path, Write::Synced, |store| {
            store.replace_by_upload(path, upload)
        })
    }
    fn relink(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        self.run(path, Write::Synced, |store| store.relink(existing, path))
    }
    fn link(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        self.run(path, Write::Synced, |store| store.link(existing, path))
    }
    fn put_pointer(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        self.run(path, Write::Synced, |store| store.put_pointer(path, bytes))
    }
    fn flush(&mut self) -> Result<(), StoreError> {
        self.power
            .step()
            .map_err(|source| StoreError::Flush { source })?;
        self.inner.flush()?;
        self.power.0.lock().unwrap().writes.clear();
        Ok(())
    }
    fn begin_pointers(&mut self) -> Result<(), StoreError> {
        self.inner.begin_pointers()
    }
    fn end_pointers(&mut self) {
        self.inner.end_pointers();
    }
    fn place(&self) -> Option<String> {
        self.inner.place()
    }
    fn folder(&self) -> Option<&Path> {
        self.inner.folder()
    }
    fn get(&self, path: &StorePath, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(path, limit)
    }
    fn list(&self) -> Result<Vec<StorePath>, StoreError> {
        self.inner.list()
    }
    fn remove(&mut self, path: &StorePath) -> Result<(), StoreError> {
        self.run(path, Write::Removed(Vec::new()), |store| store.remove(path))
    }
}

/// Opens a repository whose store is on such a file system.
pub fn lossy(folder: &Path, power: &Power) -> Repository {
    let store = LossyStore {
        inner: LocalStore::open(folder.join("repository")).unwrap(),
        power: power.clone(),
    };
    let parts = Parts {
        store: Box::new(store),
        ..Parts::of_folder(folder).unwrap()
    };
    Repository::assemble(parts).unwrap()
}
