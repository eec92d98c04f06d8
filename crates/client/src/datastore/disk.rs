//! What the datastore does to the disk, call by call, so that each call can fail, or be lost with the power.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// A disk. What was not synced may be lost with the power, each write and each name by itself.
pub(crate) trait Disk: Send + Sync + fmt::Debug {
    /// Adds bytes to an unfinished file.
    fn fill(&self, file: &mut NamedTempFile, bytes: &[u8]) -> io::Result<()>;

    /// Makes what is in a file durable.
    fn sync(&self, file: &NamedTempFile) -> io::Result<()>;

    /// Gives a file its final name, in place of whatever had that name.
    fn rename(&self, file: NamedTempFile, to: &Path) -> io::Result<()>;

    /// Removes a file; its owner may remove it at the same time.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn fill(&self, file: &mut NamedTempFile, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &NamedTempFile) -> io::Result<()> {
        file.as_file().sync_all()
    }

    fn rename(&self, file: NamedTempFile, to: &Path) -> io::Result<()> {
        file.persist(to).map(drop).map_err(|error| error.error)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Only Unix lets a folder be opened and synced.
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if cfg!(unix) {
            File::open(dir)?.sync_all()
        } else {
            Ok(())
        }
    }
}
