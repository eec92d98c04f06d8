//! A store that asks before each write.

use std::path::Path;

use countersign_repository::{Parts, Repository, Store, StoreError, StorePath, UploadPlace};

/// Asked before each write, by path: an error fails it.
pub type Watcher = Box<dyn FnMut(&str) -> std::io::Result<()> + Send>;

/// A store whose writes are watched.
pub struct WatchedStore {
    inner: Box<dyn Store>,
    watcher: Watcher,
}

/// Opens a repository with a watched store.
pub fn watched(folder: &Path, watcher: Watcher) -> Repository {
    let mut parts = Parts::of_folder(folder).unwrap();
    let inner = parts.store;
    parts.store = Box::new(WatchedStore { inner, watcher });
    Repository::assemble(parts).unwrap()
}

impl WatchedStore {
    fn ask(&mut self, path: &StorePath) -> Result<(), StoreError> {
        (self.watcher)(path.as_str()).map_err(|source| StoreError::Io {
            doing: "write",
            path: path.clone(),
            source,
        })
    }
}

impl Store for WatchedStore {
    fn put_new(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.put_new(path, bytes)
    }
    fn put_new_upload(&mut self, path: &StorePath, upload: &UploadPlace) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.put_new_upload(path, upload)
    }
    fn replace_by_upload(
        &mut self,
        path: &StorePath,
        upload: &UploadPlace,
    ) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.replace_by_upload(path, upload)
    }
    fn relink(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.relink(existing, path)
    }
    fn link(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.link(existing, path)
    }
    fn put_pointer(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.put_pointer(path, bytes)
    }
    fn flush(&mut self) -> Result<(), StoreError> {
        self.inner.flush()
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
        self.ask(path)?;
        self.inner.remove(path)
    }
}
