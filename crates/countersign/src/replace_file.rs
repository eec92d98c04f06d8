//! Replaces a file whole: whoever reads it at the same moment sees the old bytes or the new.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Writes `bytes` beside `path` and renames them over it.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = temporary_of(path);
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|source| Failure::Io {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}

/// A name that collectors which read `*.prom` pass over, and no other process uses.
fn temporary_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("countersign.prom");
        for content in [b"one".as_slice(), b"two"] {
            replace_file(&path, content).expect("written");
            assert_eq!(fs::read(&path).expect("readable"), content);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        let missing = folder.path().join("no/such/folder");
        assert!(matches!(
            replace_file(&missing, b""),
            Err(Failure::Io { .. })
        ));
    }
}
