//! Files of the person at the terminal: read within a limit, written once.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use super::Failure;

/// Reads a text of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<String, Failure> {
    String::from_utf8(read_bytes(path, limit)?).map_err(|error| Failure::Read {
        path: path.to_owned(),
        source: io::Error::new(ErrorKind::InvalidData, error),
    })
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .and_then(|length| {
            if length as u64 > limit {
                return Err(ErrorKind::FileTooLarge.into());
            }
            Ok(bytes)
        })
        .map_err(|source| Failure::Read {
            path: path.to_owned(),
            source,
        })
}

/// Writes a new file; one that is there is never overwritten.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(|source| Failure::Write {
            path: path.to_owned(),
            source,
        })
}
