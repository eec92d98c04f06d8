//! What clients fetch. Not trusted: whatever is read back is checked against the state's digests.

use std::fmt;
use std::io::Write;
use std::path::Path;

use metadata::{Sha256, TargetPath};

use crate::error::StoreError;
use crate::uploads::UploadPlace;

/// Where an object lies below the repository's base: a [`TargetPath`]-like relative path, so that it
/// can never leave the folder or bucket.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(TargetPath);

impl StorePath {
    /// A metadata file.
    #[must_use]
    pub fn metadata(file_name: &str) -> Option<Self> {
        TargetPath::parse(format!("metadata/{file_name}"))
            .ok()
            .map(Self)
    }

    /// A target under its consistent-snapshot name (TUF 6.2.1).
    #[must_use]
    pub fn target(path: &TargetPath, digest: &Sha256) -> Option<Self> {
        TargetPath::parse(format!("targets/{}", path.with_digest(digest)))
            .ok()
            .map(Self)
    }

    /// A distribution file under its plain name, for installers that know nothing of TUF.
    #[must_use]
    pub fn plain(path: &TargetPath) -> Self {
        Self(path.clone())
    }

    /// A page of the plain mirror.
    #[must_use]
    pub fn mirror_page(project: &index::ProjectName, file: &str) -> Option<Self> {
        TargetPath::parse(format!("simple/{project}/{file}"))
            .ok()
            .map(Self)
    }

    /// Whether it is a metadata file.
    #[must_use]
    pub fn is_metadata(&self) -> bool {
        self.as_str().starts_with("metadata/")
    }

    /// Whether it is replaced in place: `timestamp.json` and the pages of the plain mirror. Every other
    /// object is immutable.
    #[must_use]
    pub fn is_pointer(&self) -> bool {
        self.as_str() == "metadata/timestamp.json" || self.as_str().starts_with("simple/")
    }

    /// Reads a path back from the journal.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        TargetPath::parse(text).ok().map(Self)
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// Objects of two classes: *immutable* ones are written once and never again with other bytes;
/// *pointers* are replaced whole.
pub trait Store: Send {
    /// Writes an immutable object. If it is there with the same bytes nothing happens; with other
    /// bytes that is [`StoreError::Conflict`].
    fn put_new(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError>;

    /// The same from an upload, which is kept where it is.
    fn put_new_upload(&mut self, path: &StorePath, upload: &UploadPlace) -> Result<(), StoreError>;

    /// Replaces an object that a loss of power left damaged by an upload, which is kept where it is. For
    /// recovery alone, and only for objects that nothing published names yet.
    fn replace_by_upload(
        &mut self,
        path: &StorePath,
        upload: &UploadPlace,
    ) -> Result<(), StoreError>;

    /// Gives an immutable object a second name.
    fn link(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError>;

    /// Gives an immutable object a second name, over whatever a crash left there.
    fn relink(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError>;

    /// Called before the head moves, or before what it moved to is finished: from here on nobody else
    /// may replace `timestamp.json`, or [`Store::put_pointer`] has to fail if somebody did. Where one
    /// process writes alone there is nothing to do. Afterwards the caller asks the state whether it is
    /// the writer still ([`crate::State::check_writer`]), then moves the head: in this order a writer that
    /// slept meanwhile cannot put an older timestamp over a newer one (DESIGN §5).
    fn begin_pointers(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Called when the pointers are put, or were not.
    fn end_pointers(&mut self) {}

    /// The place in words, the same for everybody who publishes there; none where it cannot be told.
    fn place(&self) -> Option<String>;

    /// The folder it is, if it is one.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Replaces a pointer: readers see the old bytes or the new, never a mixture.
    fn put_pointer(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError>;

    /// Makes everything written so far survive a loss of power. Between two flushes the order of
    /// writes on the medium is open.
    fn flush(&mut self) -> Result<(), StoreError>;

    /// Reads an object of at most `limit` bytes; `None` if there is none.
    fn get(&self, path: &StorePath, limit: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Reads an object of at most `limit` bytes into a writer, piece by piece where it may be large; says
    /// whether there is one.
    fn read_into(
        &self,
        path: &StorePath,
        limit: u64,
        into: &mut dyn Write,
    ) -> Result<bool, StoreError> {
        let Some(bytes) = self.get(path, limit)? else {
            return Ok(false);
        };
        into.write_all(&bytes).map_err(|source| StoreError::Io {
            doing: "keep",
            path: path.clone(),
            source,
        })?;
        Ok(true)
    }

    /// How many projects' pages of the plain mirror a cycle looks at; each is two reads.
    fn pages_per_cycle(&self) -> u64 {
        200
    }

    /// All objects whose names could be ours, in no order.
    fn list(&self) -> Result<Vec<StorePath>, StoreError>;

    /// Deletes an object; nothing happens if there is none.
    fn remove(&mut self, path: &StorePath) -> Result<(), StoreError>;

    /// Reads an object that must have this digest.
    fn get_checked(
        &self,
        path: &StorePath,
        limit: u64,
        expected: Sha256,
    ) -> Result<Vec<u8>, StoreError> {
        match self.get(path, limit)? {
            Some(bytes) if Sha256::of(&bytes) == expected => Ok(bytes),
            _ => Err(StoreError::Altered {
                path: path.clone(),
                expected,
            }),
        }
    }
}
