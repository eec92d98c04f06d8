//! An object on its way from one store to another: in memory, a large one in a file.

use std::io::{self, Write};

use metadata::{Sha256, Sha256Stream};
use tempfile::NamedTempFile;

use crate::error::StoreError;
use crate::store::{Store, StorePath};
use crate::uploads::UploadPlace;

/// Up to this many bytes stay in memory.
const IN_MEMORY: usize = 8 << 20;

/// Takes an object's bytes.
#[derive(Default)]
pub(super) struct Spool {
    memory: Vec<u8>,
    file: Option<NamedTempFile>,
    digest: Sha256Stream,
    length: u64,
}

/// All of an object.
pub(super) struct Spooled {
    memory: Vec<u8>,
    file: Option<NamedTempFile>,
    pub(super) digest: Sha256,
    pub(super) length: u64,
}

impl Spool {
    pub(super) fn close(self) -> Spooled {
        Spooled {
            memory: self.memory,
            file: self.file,
            digest: self.digest.finish(),
            length: self.length,
        }
    }
}

impl Spooled {
    /// The bytes, if they are in memory.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.file.is_none().then_some(&*self.memory)
    }

    /// Puts the object; what is returned has to live until the next flush.
    pub(super) fn put(
        self,
        to: &mut dyn Store,
        path: &StorePath,
    ) -> Result<Option<NamedTempFile>, StoreError> {
        match &self.file {
            None => to.put_new(path, &self.memory)?,
            Some(file) => to.put_new_upload(path, &UploadPlace::File(file.path().to_owned()))?,
        }
        Ok(self.file)
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.memory.len() + bytes.len() > IN_MEMORY {
            let mut file = NamedTempFile::new()?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => self.memory.extend_from_slice(bytes),
        }
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}
