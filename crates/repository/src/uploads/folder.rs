//! Uploads in a local folder.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use metadata::Sha256;

use crate::uploads::{KeptUpload, Upload, UploadPlace, Uploads};

/// A folder with one file for each upload.
pub struct UploadFolder(PathBuf);

impl UploadFolder {
    /// Opens (and if need be makes) the folder.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn path(&self, digest: &Sha256) -> PathBuf {
        self.0.join(digest.to_string())
    }
}

impl Uploads for UploadFolder {
    fn name(&self) -> PathBuf {
        self.0.clone()
    }

    fn begin(&self) -> io::Result<Box<dyn Upload>> {
        let (temporary, file) = create_temporary(&self.0)?;
        Ok(Box::new(Incoming {
            file,
            temporary: Some(temporary),
        }))
    }

    fn flush(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn open(&self, digest: &Sha256) -> io::Result<Option<Box<dyn Read + Send>>> {
        match File::open(self.path(digest)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn place(&self, digest: &Sha256) -> UploadPlace {
        UploadPlace::File(self.path(digest))
    }

    fn written(&self, digest: &Sha256) -> io::Result<Option<DateTime<Utc>>> {
        match fs::metadata(self.path(digest)) {
            Ok(about) => Ok(Some(about.modified()?.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<KeptUpload>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            all.push(KeptUpload {
                name: entry.file_name().to_string_lossy().into_owned(),
                written: entry.metadata()?.modified()?.into(),
            });
        }
        Ok(all)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        // A name out of the folder's own list or a digest; anything else would leave the folder.
        if name.contains('/') {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A file under a name of its own until it is whole.
struct Incoming {
    file: File,
    /// None once it has its real name.
    temporary: Option<PathBuf>,
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Upload for Incoming {
    fn keep(mut self: Box<Self>, digest: &Sha256) -> io::Result<()> {
        self.file.sync_all()?;
        let Some(temporary) = &self.temporary else {
            return Ok(());
        };
        fs::rename(temporary, temporary.with_file_name(digest.to_string()))?;
        self.temporary = None;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nobody waits for it; if it stays, a sweep takes it.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// A file that nobody else writes: not another thread, nor another container with the same pid.
fn create_temporary(folder: &Path) -> io::Result<(PathBuf, File)> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{}-{number}.tmp", std::process::id()));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return Ok((path, created?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = UploadFolder::open(folder.path()).unwrap();
        let mut upload = uploads.begin().unwrap();
        upload.write_all(b"wheel").unwrap();
        drop(upload);
        assert_eq!(uploads.list().unwrap(), []);
    }

    #[test]
    fn what_is_kept_is_found_by_its_digest_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = UploadFolder::open(folder.path()).unwrap();
        let digest = Sha256::of(b"wheel");
        assert!(uploads.open(&digest).unwrap().is_none());
        let mut upload = uploads.begin().unwrap();
        upload.write_all(b"wheel").unwrap();
        upload.keep(&digest).unwrap();
        uploads.flush().unwrap();
        let mut bytes = Vec::new();
        let mut opened = uploads.open(&digest).unwrap().unwrap();
        opened.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"wheel");
        assert!(uploads.remove("../state.sqlite").is_err());
        uploads.remove(&digest.to_string()).unwrap();
        uploads.remove(&digest.to_string()).unwrap();
        assert_eq!(uploads.written(&digest).unwrap(), None);
    }
}
