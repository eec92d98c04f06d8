//! Files that hold secrets: read within a limit, written once, readable by their owner alone.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::KeyError;

/// What was read, and the permission bits of the file if it is an ordinary one.
pub(crate) struct SecretBytes {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) mode: Option<u32>,
}

/// Reads a file, pipe or descriptor (`/dev/fd/3`) of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: usize) -> Result<SecretBytes, KeyError> {
    let failed = |source| KeyError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let bytes = read_up_to(file, limit + 1).map_err(failed)?;
    if bytes.len() > limit {
        return Err(KeyError::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(SecretBytes {
        bytes,
        mode: about.is_file().then(|| about.permissions().mode() & 0o777),
    })
}

/// Reads at most `most` bytes. The buffer has its final size from the start: growing it would leave
/// copies behind that nobody wipes.
pub(crate) fn read_up_to(source: impl Read, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    source.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Creates `path` with mode 0600 and has it on the disk, name included, before returning. Never
/// replaces a file; one that could not be written whole is removed again.
pub(crate) fn create(path: &Path, content: &[u8]) -> Result<(), KeyError> {
    let failed = |source: io::Error| match source.kind() {
        ErrorKind::AlreadyExists => KeyError::Exists {
            path: path.to_owned(),
        },
        _ => KeyError::Write {
            path: path.to_owned(),
            source,
        },
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_parent(path))
        .map_err(|source| {
            // Nothing of value is lost, and a torn key file would only mislead.
            let _ = std::fs::remove_file(path);
            failed(source)
        })
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
    fn creates_once_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        create(&path, b"one").unwrap();
        let read_back = read(&path, 3).unwrap();
        assert_eq!(
            (&read_back.bytes[..], read_back.mode),
            (&b"one"[..], Some(0o600))
        );
        assert!(matches!(create(&path, b"two"), Err(KeyError::Exists { path: p }) if p == path));
        assert_eq!(*read(&path, 3).unwrap().bytes, b"one");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), folder.path().join("link"))
            .unwrap();
        let link = create(&folder.path().join("link"), b"x");
        assert!(matches!(link, Err(KeyError::Exists { .. })));
    }

    #[test]
    fn reads_no_more_than_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        create(&path, &[b'x'; 9]).unwrap();
        assert_eq!(read(&path, 9).unwrap().bytes.len(), 9);
        assert!(matches!(
            read(&path, 8),
            Err(KeyError::TooLarge { limit: 8, .. })
        ));
        assert!(matches!(
            read(Path::new("/dev/zero"), 100),
            Err(KeyError::TooLarge { limit: 100, .. })
        ));
        assert!(matches!(read(folder.path(), 9), Err(KeyError::Read { .. })));
        let missing = create(&folder.path().join("no/key.pem"), b"");
        assert!(matches!(missing, Err(KeyError::Write { .. })));
    }
}
