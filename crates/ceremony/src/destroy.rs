//! Destroys key files made for one ceremony (PEP 458's keys that are used once and thrown away).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use chrono::{DateTime, Utc};
use keys::Signer;
use ring::rand::{SecureRandom, SystemRandom};

use crate::transcript::Done;
use crate::{CeremonyError, Event, Step};

/// What no program can promise.
const CAVEAT: &str = "flash memory and copy-on-write file systems may retain the old bytes: destroy \
                      the medium too";

impl Event {
    /// Overwrites and removes the file of a key, whose last signature is over the entry that says
    /// so. Only once the event holds: before, the key may be needed again.
    pub fn destroy(
        &self,
        signer: &dyn Signer,
        file: &Path,
        now: DateTime<Utc>,
    ) -> Result<(), CeremonyError> {
        self.verify()?;
        let keyid = signer.key_id();
        if !self.holders.contains_key(keyid) {
            let (key, keyid) = (signer.describe(), keyid.clone());
            return Err(CeremonyError::NoRole { key, keyid });
        }
        let done = Done {
            step: Step::Destroyed,
            inputs: Vec::new(),
            outputs: Vec::new(),
            note: format!("key {keyid} overwritten and removed; {CAVEAT}"),
        };
        // Signed before the key is gone, written after: nothing says so that is not so.
        let (name, entry) = self.next_entry(&self.holder(keyid), now, done, Some(signer))?;
        overwrite_and_remove(file)?;
        self.folder.create_file(&name, &entry)
    }
}

fn overwrite_and_remove(path: &Path) -> Result<(), CeremonyError> {
    let failed = |source| CeremonyError::Write {
        path: path.to_owned(),
        source,
    };
    let about = fs::symlink_metadata(path).map_err(failed)?;
    let refused = |why| {
        let path = path.to_owned();
        Err(CeremonyError::NotDestroyed { path, why })
    };
    if !about.is_file() {
        return refused("is a link or no file");
    }
    if about.nlink() > 1 {
        return refused("has another name in the file system");
    }
    overwrite(path, about.len()).map_err(failed)?;
    fs::remove_file(path).map_err(failed)?;
    let parent = path.parent().filter(|one| !one.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

fn overwrite(path: &Path, length: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let mut noise = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let filled = SystemRandom::new().fill(&mut noise);
    filled.map_err(|_| io::Error::other("the system gives no random bytes"))?;
    file.write_all(&noise)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_with_one_name_is_destroyed() {
        let base = tempfile::tempdir().unwrap();
        let (key, link) = (base.path().join("key"), base.path().join("link"));
        fs::write(&key, "secret").unwrap();
        std::os::unix::fs::symlink(&key, &link).unwrap();
        let refused = overwrite_and_remove(&link);
        assert!(matches!(refused, Err(CeremonyError::NotDestroyed { .. })));
        fs::remove_file(&link).unwrap();
        fs::hard_link(&key, &link).unwrap();
        let refused = overwrite_and_remove(&key);
        assert!(matches!(refused, Err(CeremonyError::NotDestroyed { .. })));
        assert_eq!(fs::read(&key).unwrap(), b"secret");
        fs::remove_file(&link).unwrap();
        // Somebody who has it open sees what becomes of the bytes.
        let mut open = File::open(&key).unwrap();
        overwrite_and_remove(&key).unwrap();
        let mut left = Vec::new();
        io::Read::read_to_end(&mut open, &mut left).unwrap();
        assert_eq!(left.len(), 6);
        assert_ne!(left, b"secret");
        assert!(!key.exists());
    }
}
