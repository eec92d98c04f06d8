//! Files taken in, under their digests, until a cycle has published them. Not trusted: whoever reads one
//! holds it against its digest.

mod folder;

use std::io::{self, Read, Write};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use metadata::Sha256;

pub use folder::UploadFolder;

/// Where an upload lies, so that a store can take it over by a link or by a copy of its own service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadPlace {
    /// A file of this machine.
    File(PathBuf),
    /// An object of a bucket.
    Object {
        /// The bucket.
        bucket: String,
        /// The object's key in it.
        key: String,
    },
}

/// An upload that no published or unfinished work needs, as the sweep sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptUpload {
    /// Its name: a digest, or what is left of one that never came in whole.
    pub name: String,
    /// When it was written last.
    pub written: DateTime<Utc>,
}

/// Where uploads are kept. Several programs may work on it at once.
pub trait Uploads: Send {
    /// What it is called in messages: a folder, or the address of a bucket.
    fn name(&self) -> PathBuf;

    /// Begins one; bytes that nobody keeps are gone, or swept later.
    fn begin(&self) -> io::Result<Box<dyn Upload>>;

    /// Makes everything kept so far survive a loss of power.
    fn flush(&self) -> io::Result<()>;

    /// Opens one for reading; `None` if there is none of this digest.
    fn open(&self, digest: &Sha256) -> io::Result<Option<Box<dyn Read + Send>>>;

    /// Where one lies, or would.
    fn place(&self, digest: &Sha256) -> UploadPlace;

    /// When it was written last; `None` if there is none.
    fn written(&self, digest: &Sha256) -> io::Result<Option<DateTime<Utc>>>;

    /// All there are, in no order. For the sweep alone.
    fn list(&self) -> io::Result<Vec<KeptUpload>>;

    /// Removes one by its name; nothing happens if there is none.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// An upload on its way in.
pub trait Upload: Write + Send {
    /// Keeps what was written, under the digest of it, in place of what stood there: the same bytes.
    /// It survives a loss of power after the next [`Uploads::flush`].
    fn keep(self: Box<Self>, digest: &Sha256) -> io::Result<()>;
}
