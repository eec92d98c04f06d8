//! The folder in which a client keeps what it trusts (TUF 5.1–5.6 "persist"): one file a role,
//! unversioned, the bytes as served. Only [`Verified`] documents can be stored.
//!
//! A file is written beside its final name, synced and renamed, so that after a crash each role has
//! its old or its new bytes, never a mixture. Delegated roles, which are no floors, are not synced: what the
//! power takes of them is fetched again. One process at a time updates: see [`Datastore::lock`].

mod disk;
#[cfg(test)]
mod power_loss;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use metadata::{Role, Sha256};
use tempfile::NamedTempFile;
use trust::Verified;

use crate::ClientError;
use crate::piece::AT_ONCE;
pub(crate) use disk::{Disk, RealDisk};

/// Held while a process updates. Does not end in `.json`: those are the roles.
const LOCK: &str = ".lock";

/// The digest of the root that was given by hand. Does not end in `.json` either.
const ANCHOR: &str = ".anchor";

/// How unfinished writes end.
const UNFINISHED: &str = ".part";

/// How long another process may keep the lock before this one gives up, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Age after which an unfinished write belongs to nobody any more.
const ABANDONED: Duration = Duration::from_secs(86_400);

/// A folder of trusted metadata.
#[derive(Clone, Debug)]
pub struct Datastore {
    dir: Arc<Path>,
    patience: Duration,
    /// The lock file while we hold the lock: every file operation keeps it open until it ends.
    held: Arc<Mutex<Weak<File>>>,
    disk: Arc<dyn Disk>,
}

/// The right to update the datastore; given back when dropped and no file operation begun under it
/// runs any more, or when the process ends.
#[derive(Debug)]
pub struct DatastoreLock {
    file: Arc<File>,
}

impl Datastore {
    /// Opens the folder, making it if it is missing.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, ClientError> {
        Self::open_on(Arc::new(RealDisk), dir)
    }

    /// The same on a disk that the caller brings.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: impl Into<PathBuf>,
    ) -> Result<Self, ClientError> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(|source| failed(&dir, "created", source))?;
        Ok(Self {
            dir: dir.into(),
            patience: PATIENCE,
            held: Arc::default(),
            disk,
        })
    }

    /// The same, waiting at most `patience` for another process.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Waits until no other process updates.
    pub async fn lock(&self) -> Result<DatastoreLock, ClientError> {
        let deadline = tokio::time::Instant::now() + self.patience;
        loop {
            let dir = Arc::clone(&self.dir);
            if let Some(lock) = self.blocking("locked", move || try_lock(&dir)).await? {
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) =
                    Arc::downgrade(&lock.file);
                return Ok(lock);
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(ClientError::Busy {
                    path: self.dir.to_path_buf(),
                });
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// The file of a role, if there is one. It was verified when it was stored, but counts only
    /// after it is verified again. At most one byte more than `limit` is read, which is enough for
    /// the verifier to see that it is too large.
    pub async fn read(&self, role: &Role, limit: u64) -> Result<Option<Vec<u8>>, ClientError> {
        let path = self.dir.join(stored_name(role));
        let limit = limit.saturating_add(1);
        let failed = |source| failed(&self.dir, "read", source);
        let Some((file, length)) = opened(&path).map_err(failed)? else {
            return Ok(None);
        };
        let read = move || read_all(file, length, limit);
        if length <= AT_ONCE {
            return read().map(Some).map_err(failed);
        }
        self.blocking("read", read).await.map(Some)
    }

    /// Stores a role's file in place of the one before. A delegated role is no floor: the snapshot says
    /// which version counts. What of it the power takes is fetched again, so nobody waits for the disk, which
    /// would cost a cold installation more than the network.
    pub async fn store<R>(&self, document: &Verified<R>) -> Result<(), ClientError> {
        let name = stored_name(document.role());
        let is_floor = !matches!(document.role(), Role::Delegated(_));
        let bytes = document.file();
        if !is_floor && bytes.len() as u64 <= AT_ONCE {
            return replace_unsynced(&*self.disk, &self.dir, &name, bytes)
                .map_err(|source| failed(&self.dir, "written", source));
        }
        let bytes = bytes.to_vec();
        let (dir, disk) = (Arc::clone(&self.dir), Arc::clone(&self.disk));
        self.blocking("written", move || {
            if is_floor {
                replace(&*disk, &dir, &name, &bytes)
            } else {
                replace_unsynced(&*disk, &dir, &name, &bytes)
            }
        })
        .await
    }

    /// Deletes timestamp and snapshot, whose keys were rotated (TUF 5.3.11).
    pub async fn forget_floors(&self) -> Result<(), ClientError> {
        let (dir, disk) = (Arc::clone(&self.dir), Arc::clone(&self.disk));
        self.blocking("written", move || {
            // The snapshot first: a timestamp that no longer verifies voids both on the next start.
            for role in [Role::Snapshot, Role::Timestamp] {
                disk.remove(&dir.join(role.file_name()))?;
                disk.sync_dir(&dir)?;
            }
            Ok(())
        })
        .await
    }

    /// The root that was given by hand, by its digest; `None` where an older program gave it.
    pub(crate) async fn anchor(&self) -> Result<Option<Sha256>, ClientError> {
        let path = self.dir.join(ANCHOR);
        let text = self
            .blocking("read", move || read_at_most(&path, 65))
            .await?;
        Ok(text.and_then(|text| Sha256::parse(std::str::from_utf8(&text).ok()?).ok()))
    }

    /// Notes the root that was given by hand.
    pub(crate) async fn set_anchor(&self, root: Sha256) -> Result<(), ClientError> {
        let (dir, disk) = (Arc::clone(&self.dir), Arc::clone(&self.disk));
        self.blocking("written", move || {
            replace(&*disk, &dir, ANCHOR, root.to_string().as_bytes())
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, ClientError> {
        let lock = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade();
        // The work goes on when nobody awaits it any more. Whoever dropped the update has dropped the
        // lock too: it must not pass to another before a write of this update is over, which would
        // put an older file in place of a newer one.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(lock);
            done
        })
        .await;
        done.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
            .map_err(|source| failed(&self.dir, action, source))
    }
}

/// The name of a role's file here. Where file systems ignore case, a delegated role `Snapshot` would
/// take the place of the top-level one and its floor: the capitals of such a name are escaped.
fn stored_name(role: &Role) -> String {
    let name = role.file_name();
    let is_ambiguous = [Role::Root, Role::Timestamp, Role::Snapshot, Role::Targets]
        .iter()
        .any(|top| top != role && top.file_name().eq_ignore_ascii_case(&name));
    if !is_ambiguous {
        return name;
    }
    name.chars()
        .map(|it| match it {
            'A'..='Z' => format!("%{:02X}", u32::from(it)),
            _ => it.to_string(),
        })
        .collect()
}

fn failed(path: &Path, action: &'static str, source: io::Error) -> ClientError {
    ClientError::File {
        path: path.to_path_buf(),
        action,
        source,
    }
}

fn try_lock(dir: &Path) -> io::Result<Option<DatastoreLock>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => {
            sweep(dir)?;
            Ok(Some(DatastoreLock {
                file: Arc::new(file),
            }))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes what processes left behind that died while writing.
fn sweep(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let is_ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.ends_with(UNFINISHED));
        if !is_ours {
            continue;
        }
        let age = entry
            .metadata()
            .and_then(|about| about.modified())
            .ok()
            .and_then(|written| SystemTime::now().duration_since(written).ok());
        if age.is_some_and(|age| age > ABANDONED) {
            RealDisk.remove(&entry.path())?;
        }
    }
    Ok(())
}

fn read_at_most(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let Some((file, length)) = opened(path)? else {
        return Ok(None);
    };
    read_all(file, length, limit).map(Some)
}

/// The file and its length; none if it is not there.
fn opened(path: &Path) -> io::Result<Option<(File, u64)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    Ok(Some((file, length)))
}

/// All of a file that has about `length` bytes, but at most `limit`.
fn read_all(file: File, length: u64, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(limit)).unwrap_or(0));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// If we die after the write: an unfinished file that nobody reads, swept a day later. After the
/// sync: the same. After the rename: the new file, or after a power cut the old one. After the sync
/// of the folder: the new file.
pub(crate) fn replace(
    disk: &dyn Disk,
    dir: &Path,
    name: impl AsRef<Path>,
    bytes: &[u8],
) -> io::Result<()> {
    let mut file = unfinished(dir)?;
    disk.fill(&mut file, bytes)?;
    disk.sync(&file)?;
    disk.rename(file, &dir.join(name))?;
    disk.sync_dir(dir)
}

/// If the power fails, whenever: the file before, this one, a part of it or none. If we die: one of the
/// first two.
fn replace_unsynced(disk: &dyn Disk, dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = unfinished(dir)?;
    disk.fill(&mut file, bytes)?;
    disk.rename(file, &dir.join(name))
}

fn unfinished(dir: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".")
        .suffix(UNFINISHED)
        .tempfile_in(dir)
}

#[cfg(test)]
mod tests;
