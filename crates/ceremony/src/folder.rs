//! The event folder on disk: reading within limits, writing once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::CeremonyError;

/// Largest file of an event: a `bins` of 16,384 roles has 3 MB.
const MAX_FILE: u64 = 8_000_000;

/// Most files in one folder that is read: an event has a few dozen, but the folder of what is
/// published holds every bin's versions too.
const MAX_ENTRIES: usize = 1_000_000;

/// The folder of one event.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where a file of the event is. `name` is built from roles, versions and key ids only.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the folder itself; it must not be there, or be empty.
    pub(crate) fn create(path: &Path) -> Result<Self, CeremonyError> {
        match fs::create_dir(path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if !entries(path)?.is_empty() {
                    return Err(CeremonyError::Exists {
                        path: path.to_owned(),
                    });
                }
            }
            Err(error) => return Err(write_failed(path, error)),
        }
        Ok(Self::new(path))
    }

    /// Reads a file of the event.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, CeremonyError> {
        read(&self.file(name))
    }

    /// Reads a file of the event, if it is there.
    pub(crate) fn read_if_there(&self, name: &str) -> Result<Option<Vec<u8>>, CeremonyError> {
        match self.read(name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(CeremonyError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The names in a folder of the event, sorted; none if it is not there. Names that are not
    /// UTF-8 come out changed, so they match nothing that is looked for.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<String>, CeremonyError> {
        match entries(&self.file(folder)) {
            Err(CeremonyError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Ok(Vec::new())
            }
            other => other,
        }
    }

    /// Makes an empty folder in the event, where people look for what is to come.
    pub(crate) fn create_folder(&self, name: &str) -> Result<(), CeremonyError> {
        let path = self.file(name);
        fs::create_dir_all(&path).map_err(|source| write_failed(&path, source))
    }

    /// Writes a new file, whole and on the disk, or not at all. The same bytes again are no error:
    /// a step that was interrupted can be repeated.
    pub(crate) fn create_file(&self, name: &str, bytes: &[u8]) -> Result<(), CeremonyError> {
        let path = self.file(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|source| write_failed(parent, source))?;
        }
        match create_whole(&path, bytes) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if read(&path)? == bytes {
                    return Ok(());
                }
                Err(CeremonyError::Exists { path })
            }
            Err(error) => Err(write_failed(&path, error)),
        }
    }

    /// Writes new files and the entry that names them; without the entry none of them stays.
    pub(crate) fn create_together(
        &self,
        new: &[(&str, &[u8])],
        entry: (&str, &[u8]),
    ) -> Result<(), CeremonyError> {
        for (at, (name, bytes)) in new.iter().chain([&entry]).enumerate() {
            if let Err(error) = self.create_file(name, bytes) {
                for (name, _) in &new[..at.min(new.len())] {
                    // The error that is told is the one that led here.
                    let _ = fs::remove_file(self.file(name));
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

fn write_failed(path: &Path, source: io::Error) -> CeremonyError {
    CeremonyError::Write {
        path: path.to_owned(),
        source,
    }
}

/// Reads a file of at most [`MAX_FILE`] bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CeremonyError> {
    let failed = |source| CeremonyError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(CeremonyError::TooLarge {
            path: path.to_owned(),
            limit: MAX_FILE,
        });
    }
    Ok(bytes)
}

fn entries(path: &Path) -> Result<Vec<String>, CeremonyError> {
    let failed = |source| CeremonyError::Read {
        path: path.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)?.take(MAX_ENTRIES) {
        let name = entry.map_err(failed)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Writes beside the final name and moves there without replacing anything.
fn create_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let beside = beside(path);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| move_without_replacing(&beside, path))
        .and_then(|()| sync_parent(path));
    if written.is_err() {
        // What is left of a file that could not be written whole only misleads.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn move_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot promise it: a link makes the same promise.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            fs::hard_link(from, to).and_then(|()| fs::remove_file(from))
        }
        done => done.map_err(io::Error::from),
    }
}

/// A name that only this process uses. A left-over of a killed process with the same id is in the
/// way for this one attempt and reported.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_once_and_the_same_again() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::create(&base.path().join("event")).unwrap();
        folder.create_file("a/b.json", b"1").unwrap();
        folder.create_file("a/b.json", b"1").unwrap();
        let other = folder.create_file("a/b.json", b"2");
        assert!(matches!(other, Err(CeremonyError::Exists { .. })));
        assert_eq!(folder.read("a/b.json").unwrap(), b"1");
        assert_eq!(folder.list("a").unwrap(), ["b.json"]);
        assert_eq!(folder.list("none").unwrap(), [""; 0]);
        assert_eq!(folder.read_if_there("a/c.json").unwrap(), None);
        let again = Folder::create(folder.path());
        assert!(matches!(again, Err(CeremonyError::Exists { .. })));
    }

    #[test]
    fn does_not_follow_a_link_when_writing() {
        let base = tempfile::tempdir().unwrap();
        let target = base.path().join("target");
        std::os::unix::fs::symlink(&target, base.path().join("link")).unwrap();
        let folder = Folder::new(base.path());
        assert!(folder.create_file("link", b"1").is_err());
        assert!(!target.exists());
    }

    #[test]
    fn reads_no_more_than_the_limit() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert!(matches!(error, CeremonyError::TooLarge { .. }));
    }
}
