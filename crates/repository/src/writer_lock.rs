//! What makes the writer of a repository one.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use crate::error::RepositoryError;

/// A lock that one writer holds for a whole cycle: one process of a machine, or one of several machines.
pub trait WriterLock: Send {
    /// Becomes the one writer until what it returns is dropped, or the process dies. Does not wait:
    /// [`RepositoryError::is_busy`] says that another is at work.
    fn acquire(&self) -> Result<Box<dyn HeldLock>, RepositoryError>;
}

/// A lock held; dropping it gives it back.
pub trait HeldLock {}

/// A lock of the operating system on a file: for the processes of one machine. The system drops it with
/// the process.
pub struct LockFile(PathBuf);

impl LockFile {
    /// The lock at a path; the file is made when it is first taken.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Takes the lock, if nobody has it.
    pub(crate) fn take(&self) -> Result<Option<File>, std::io::Error> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.0)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(source),
        }
    }
}

impl HeldLock for File {}

impl WriterLock for LockFile {
    fn acquire(&self) -> Result<Box<dyn HeldLock>, RepositoryError> {
        let path = self.0.clone();
        match self.take() {
            Ok(Some(file)) => Ok(Box::new(file)),
            Ok(None) => Err(RepositoryError::Locked { path }),
            Err(source) => Err(RepositoryError::Io {
                doing: "lock",
                path,
                source,
            }),
        }
    }
}
