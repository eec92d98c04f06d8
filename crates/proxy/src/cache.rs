//! Verified files on disk, by their digest. A file gets its name here only after its last byte was
//! checked, and each is fetched once however many requests wait for it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use client::{ClientError, Session, VerifiedFile};
use metadata::Sha256;
use tokio::fs::File;
use tokio::sync::watch;

use crate::problem::Problem;

/// The end of a fetch, once it has come.
type Outcome = Option<Result<(), Problem>>;

/// A folder of verified files.
pub(crate) struct Cache {
    dir: PathBuf,
    running: Mutex<BTreeMap<Sha256, watch::Receiver<Outcome>>>,
}

/// A verified file, open for reading.
#[derive(Debug)]
pub(crate) struct Cached {
    pub(crate) file: File,
    pub(crate) length: u64,
    pub(crate) sha256: Sha256,
}

impl Cache {
    /// Opens the folder, closes it to other users and removes the oldest files beyond `limit`.
    pub(crate) fn open(dir: &Path, limit: u64) -> Result<Self, ClientError> {
        let failed = |source| ClientError::File {
            path: dir.to_path_buf(),
            action: "used as a cache",
            source,
        };
        fs::create_dir_all(dir)
            .and_then(|()| close_to_others(dir))
            .map_err(failed)?;
        sweep(dir, limit).map_err(failed)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            running: Mutex::default(),
        })
    }

    /// The file, from the cache or else fetched into it.
    pub(crate) async fn get(
        self: &Arc<Self>,
        session: &Arc<Session>,
        wanted: &VerifiedFile,
    ) -> Result<Cached, Problem> {
        let sha256 = wanted.hashes().get_sha256().ok_or_else(|| {
            Problem::from(ClientError::NoUsableHash {
                path: wanted.path().clone(),
            })
        })?;
        if let Some(cached) = self.opened(sha256, wanted).await? {
            return Ok(cached);
        }
        let mut outcome = self.fetch(session, wanted, sha256);
        let stopped = |_| Problem::internal("a download was stopped");
        let outcome = outcome
            .wait_for(Option::is_some)
            .await
            .map_err(stopped)?
            .clone();
        outcome.unwrap_or_else(|| Err(Problem::internal("a download was stopped")))?;
        let gone = || Problem::internal("a file just verified is gone from the cache");
        self.opened(sha256, wanted).await?.ok_or_else(gone)
    }

    /// The file if it is there with the right length; its bytes were checked when it was written.
    async fn opened(
        &self,
        sha256: Sha256,
        wanted: &VerifiedFile,
    ) -> Result<Option<Cached>, Problem> {
        let failed = |error: io::Error| Problem::internal(format!("cache: {error}"));
        let file = match File::open(self.path(sha256)).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let length = file.metadata().await.map_err(failed)?.len();
        let fits = wanted.length().is_none_or(|listed| listed == length);
        Ok(fits.then_some(Cached {
            file,
            length,
            sha256,
        }))
    }

    /// Starts fetching the file, or joins who has. The fetch goes on when nobody waits any more: an
    /// installer that gave up finds the file when it tries again.
    fn fetch(
        self: &Arc<Self>,
        session: &Arc<Session>,
        wanted: &VerifiedFile,
        sha256: Sha256,
    ) -> watch::Receiver<Outcome> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = running.get(&sha256) {
            return outcome.clone();
        }
        let (done, outcome) = watch::channel(None);
        running.insert(sha256, outcome.clone());
        let (cache, session, wanted) = (Arc::clone(self), Arc::clone(session), wanted.clone());
        tokio::spawn(async move {
            let fetched = cache.fetch_now(&session, &wanted, sha256).await;
            done.send_replace(Some(fetched));
            cache
                .running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&sha256);
        });
        outcome
    }

    async fn fetch_now(
        &self,
        session: &Session,
        wanted: &VerifiedFile,
        sha256: Sha256,
    ) -> Result<(), Problem> {
        let path = self.path(sha256);
        let dir = path.parent().unwrap_or(&self.dir);
        tokio::fs::create_dir_all(dir)
            .await
            .map_err(|error| Problem::internal(format!("cache: {error}")))?;
        Ok(session.download_as(wanted, &path).await?)
    }

    fn path(&self, sha256: Sha256) -> PathBuf {
        let name = sha256.to_string();
        self.dir.join(&name[..2]).join(name)
    }
}

#[cfg(unix)]
fn close_to_others(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    // Fails where the folder belongs to another user, whose files must not be served.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn close_to_others(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes unfinished files, and the oldest finished ones until at most `limit` bytes are left.
fn sweep(dir: &Path, limit: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for shard in fs::read_dir(dir)? {
        let shard = shard?;
        if !shard.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(shard.path())? {
            let file = file?;
            let about = file.metadata()?;
            let is_whole = file
                .file_name()
                .to_str()
                .is_some_and(|it| Sha256::parse(it).is_ok());
            let written = if is_whole {
                about.modified()?
            } else {
                SystemTime::UNIX_EPOCH
            };
            files.push((written, about.len(), file.path()));
        }
    }
    files.sort();
    let mut left: u64 = files.iter().map(|(_, length, _)| length).sum();
    for (written, length, path) in files {
        if left <= limit && written != SystemTime::UNIX_EPOCH {
            break;
        }
        fs::remove_file(path)?;
        left -= length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn keeps_the_newest_whole_files_and_is_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let shard = dir.path().join("aa");
        fs::create_dir(&shard).unwrap();
        let name = |byte: &str| byte.repeat(32);
        for (age, name) in [
            (3, name("aa")),
            (2, name("ab")),
            (1, name("ac")),
            (0, "x.part".into()),
        ] {
            let file = fs::File::create(shard.join(name)).unwrap();
            file.set_len(10).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60 * age))
                .unwrap();
        }
        Cache::open(dir.path(), 20).unwrap();
        let mut left: Vec<_> = fs::read_dir(&shard)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [name("ab"), name("ac")]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }
}
