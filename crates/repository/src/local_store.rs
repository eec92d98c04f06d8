//! A store in a local directory: atomic renames, one batch of fsyncs per flush.

mod sync;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::error::StoreError;
use crate::store::{Store, StorePath};
use crate::uploads::UploadPlace;
use crate::writer_lock::LockFile;

/// A directory that a web server serves as it is.
pub struct LocalStore {
    root: PathBuf,
    /// Files and folders written since the last flush.
    unsynced: BTreeSet<PathBuf>,
    /// Distinguishes temporary files of this process.
    counter: u64,
    /// Where the repository's writer is one by a lease, which a process can lose unawares: what makes
    /// it one while pointers are put. Held in the second field.
    lock: Option<LockFile>,
    held: Option<File>,
}

impl LocalStore {
    /// Opens (and if need be makes) the directory.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        Ok(Self {
            root,
            unsynced: BTreeSet::new(),
            counter: 0,
            lock: None,
            held: None,
        })
    }

    /// The same where several processes of one machine may believe that they are the writer: pointers
    /// are put under a lock of the operating system.
    pub fn open_shared(root: impl Into<PathBuf>) -> io::Result<Self> {
        let mut store = Self::open(root)?;
        store.lock = Some(LockFile::at(store.root.join(POINTER_LOCK)));
        Ok(store)
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn locate(&self, path: &StorePath) -> PathBuf {
        self.root.join(path.as_str())
    }

    /// Makes the folder of `target`, remembering every folder that got a new entry.
    fn make_parent(&mut self, target: &Path) -> io::Result<()> {
        let Some(parent) = target.parent() else {
            return Ok(());
        };
        if !parent.is_dir() {
            fs::create_dir_all(parent)?;
            for folder in parent
                .ancestors()
                .take_while(|folder| folder.starts_with(&self.root))
            {
                self.unsynced.insert(folder.to_owned());
            }
        }
        self.unsynced.insert(parent.to_owned());
        Ok(())
    }

    /// A name beside `target` that nothing else uses and no client asks for.
    fn temporary(&mut self, target: &Path) -> PathBuf {
        self.counter += 1;
        let name = format!(".{}-{}.tmp", std::process::id(), self.counter);
        target.with_file_name(name)
    }

    /// Puts a file under a name that must be free, or have the same bytes already.
    fn put_new_file(&mut self, path: &StorePath, file: &Path) -> Result<(), StoreError> {
        let target = self.locate(path);
        // A hard link where the file systems allow it: the same bytes need not be written again.
        let write = |temporary: &Path| {
            fs::hard_link(file, temporary).or_else(|_| copy_new(file, temporary))
        };
        if self
            .place(&target, true, write)
            .map_err(failed("write", path))?
        {
            return Ok(());
        }
        if same_content(file, &target).map_err(failed("compare", path))? {
            self.unsynced.insert(target);
            return Ok(());
        }
        Err(StoreError::Conflict { path: path.clone() })
    }

    fn replace_by_file(&mut self, path: &StorePath, file: &Path) -> Result<(), StoreError> {
        let target = self.locate(path);
        self.place(&target, false, |temporary| copy_new(file, temporary))
            .map_err(failed("replace", path))
            .map(drop)
    }

    /// Fills a temporary file, then moves it to its name: only if free when `new`, else over what is
    /// there. Says whether it was moved.
    fn place(
        &mut self,
        target: &Path,
        new: bool,
        fill: impl FnOnce(&Path) -> io::Result<()>,
    ) -> io::Result<bool> {
        self.make_parent(target)?;
        let temporary = self.temporary(target);
        // A crash may have left one of this name, and it may be a hard link: writing into it would
        // write into the upload itself.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let placed = fill(&temporary).and_then(|()| {
            let flags = if new {
                RenameFlags::NOREPLACE
            } else {
                RenameFlags::empty()
            };
            match renameat_with(CWD, &temporary, CWD, target, flags) {
                Ok(()) => Ok(true),
                Err(rustix::io::Errno::EXIST) => Ok(false),
                Err(errno) => Err(errno.into()),
            }
        });
        if !matches!(placed, Ok(true)) {
            // Whether the leftover can be removed does not change what happened.
            let _ = fs::remove_file(&temporary);
        }
        if matches!(placed, Ok(true)) {
            self.unsynced.insert(target.to_owned());
        }
        placed
    }
}

fn failed(doing: &'static str, path: &StorePath) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.clone();
    move |source| StoreError::Io {
        doing,
        path,
        source,
    }
}

impl Store for LocalStore {
    fn place(&self) -> Option<String> {
        let path = fs::canonicalize(&self.root).ok()?;
        Some(path.display().to_string())
    }

    fn put_new(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        let target = self.locate(path);
        let write = |temporary: &Path| File::create_new(temporary)?.write_all(bytes);
        if self
            .place(&target, true, write)
            .map_err(failed("write", path))?
        {
            return Ok(());
        }
        let present = self.get(path, bytes.len() as u64)?;
        if present.as_deref() == Some(bytes) {
            self.unsynced.insert(target);
            return Ok(());
        }
        Err(StoreError::Conflict { path: path.clone() })
    }

    fn put_new_upload(&mut self, path: &StorePath, upload: &UploadPlace) -> Result<(), StoreError> {
        self.put_new_file(path, file_of(upload, path)?)
    }

    fn replace_by_upload(
        &mut self,
        path: &StorePath,
        upload: &UploadPlace,
    ) -> Result<(), StoreError> {
        self.replace_by_file(path, file_of(upload, path)?)
    }

    fn begin_pointers(&mut self) -> Result<(), StoreError> {
        let Some(lock) = &self.lock else {
            return Ok(());
        };
        let path = self.root.join(POINTER_LOCK);
        match lock.take() {
            Ok(Some(file)) => {
                self.held = Some(file);
                Ok(())
            }
            Ok(None) => Err(StoreError::Locked { path }),
            Err(source) => Err(StoreError::Lock { path, source }),
        }
    }

    fn end_pointers(&mut self) {
        self.held = None;
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.root)
    }

    fn link(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        let source = self.locate(existing);
        self.put_new_file(path, &source)
    }

    fn relink(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        let source = self.locate(existing);
        self.replace_by_file(path, &source)
    }

    fn put_pointer(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        let target = self.locate(path);
        // The content must be on the medium before the name points to it: a rename that survives a
        // loss of power without its bytes would leave an empty pointer.
        let write = |temporary: &Path| {
            let mut file = File::create_new(temporary)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        self.place(&target, false, write)
            .map_err(failed("replace", path))
            .map(drop)
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut self.unsynced);
        let synced = sync::all(&self.root, &waiting);
        let Err((path, source)) = synced else {
            return Ok(());
        };
        // All of it is still to be made durable.
        self.unsynced = waiting;
        let relative = path.strip_prefix(&self.root).unwrap_or(&path);
        Err(match StorePath::parse(&relative.to_string_lossy()) {
            Some(path) => StoreError::Io {
                doing: "flush",
                path,
                source,
            },
            None => StoreError::Flush { source },
        })
    }

    fn read_into(
        &self,
        path: &StorePath,
        limit: u64,
        into: &mut dyn Write,
    ) -> Result<bool, StoreError> {
        let file = match File::open(self.locate(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed("open", path)(error)),
        };
        let read = io::copy(&mut file.take(limit.saturating_add(1)), into)
            .map_err(failed("read", path))?;
        if read > limit {
            let error = io::Error::new(io::ErrorKind::FileTooLarge, "longer than it was published");
            return Err(failed("read", path)(error));
        }
        Ok(true)
    }

    fn list(&self) -> Result<Vec<StorePath>, StoreError> {
        let mut files = Vec::new();
        walk(&self.root, &mut files).map_err(|source| StoreError::List { source })?;
        let name = |path: &PathBuf| {
            let below = path.strip_prefix(&self.root).ok()?;
            StorePath::parse(below.to_str()?)
        };
        Ok(files.iter().filter_map(name).collect())
    }

    fn remove(&mut self, path: &StorePath) -> Result<(), StoreError> {
        let target = self.locate(path);
        match fs::remove_file(&target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("remove", path)(error)),
        }
        self.unsynced.remove(&target);
        self.unsynced.extend(target.parent().map(Path::to_owned));
        Ok(())
    }

    fn get(&self, path: &StorePath, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let file = match File::open(self.locate(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(failed("read", path))?;
        if bytes.len() as u64 > limit {
            let error = io::Error::new(io::ErrorKind::FileTooLarge, "longer than it was published");
            return Err(failed("read", path)(error));
        }
        Ok(Some(bytes))
    }
}

/// The lock on the pointers of a folder that several processes write.
const POINTER_LOCK: &str = ".pointers.lock";

/// The file that an upload is. Uploads of a bucket belong to a store in a bucket; the program does not
/// put the two together.
fn file_of<'a>(upload: &'a UploadPlace, path: &StorePath) -> Result<&'a Path, StoreError> {
    match upload {
        UploadPlace::File(file) => Ok(file),
        UploadPlace::Object { .. } => Err(failed("write", path)(io::ErrorKind::Unsupported.into())),
    }
}

/// Every file below a folder.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Copies a file to a name that must be free.
fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut copy = File::create_new(to)?;
    io::copy(&mut source, &mut copy)?;
    copy.sync_all()
}

/// Whether two files have the same bytes.
fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let mut left = vec![0; 1 << 16];
    let mut right = vec![0; 1 << 16];
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}
