//! Verified files on disk, by their digest. A file gets its name here only after its last byte was
//! checked, and each is fetched once however many requests wait for it. A file of an earlier run is
//! checked to its last byte before this process serves it for the first time.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use client::{AT_ONCE, ClientError, Piece, Session, VerifiedFile};
use metadata::{Hashes, Sha256};
use tokio::sync::watch;

use crate::folder::{self, Stamp};
use crate::problem::Problem;

/// How often a file is fetched that another process removes as soon as it is there.
const TRIES: usize = 3;

/// The end of a fetch, once it has come.
type Outcome = Option<Result<(), Problem>>;

/// A folder of verified files.
pub(crate) struct Cache {
    dir: PathBuf,
    limit: u64,
    /// Bytes of whole files in the folder, as far as this process knows.
    held: AtomicU64,
    running: Mutex<BTreeMap<Sha256, watch::Receiver<Outcome>>>,
    /// Files whose bytes this process has checked, as they were then.
    checked: Mutex<BTreeMap<Sha256, Stamp>>,
}

/// What a file has to be.
#[derive(Clone)]
pub(crate) struct Expected {
    pub(crate) sha256: Sha256,
    /// Where it is known.
    pub(crate) length: Option<u64>,
    /// All of them, the one above included.
    pub(crate) hashes: Hashes,
}

/// Where a file comes from that is not in the cache.
pub(crate) trait Source: Clone + Send + Sync + 'static {
    /// What it has to be.
    fn expected(&self) -> Result<Expected, Problem>;

    /// Fetches it to `to`, where it appears whole and checked, or not at all.
    fn fetch(&self, to: &Path) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// A file of a signed index.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) session: Arc<Session>,
    pub(crate) file: VerifiedFile,
}

impl Source for Signed {
    fn expected(&self) -> Result<Expected, Problem> {
        let sha256 = self.file.hashes().get_sha256().ok_or_else(|| {
            Problem::from(ClientError::NoUsableHash {
                path: self.file.path().clone(),
            })
        })?;
        Ok(Expected {
            sha256,
            length: self.file.length(),
            hashes: self.file.hashes().clone(),
        })
    }

    async fn fetch(&self, to: &Path) -> Result<(), Problem> {
        Ok(self.session.download_into_cache(&self.file, to).await?)
    }
}

/// A verified file, open for reading.
#[derive(Debug)]
pub(crate) struct Cached {
    pub(crate) file: fs::File,
    pub(crate) length: u64,
    pub(crate) sha256: Sha256,
    /// Its start, where that was read with opening it: one change of threads less.
    pub(crate) start: Option<Piece>,
}

impl Cache {
    /// Opens the folder, which must be this user's, closes it to others and removes the oldest files
    /// beyond `limit`.
    pub(crate) fn open(dir: &Path, limit: u64) -> Result<Self, ClientError> {
        let opened = folder::make_private(dir).and_then(|()| folder::sweep(dir, limit, None));
        let held = opened.map_err(|source| ClientError::File {
            path: dir.to_path_buf(),
            action: "used as a cache",
            source,
        })?;
        Ok(Self {
            dir: dir.to_path_buf(),
            limit,
            held: AtomicU64::new(held),
            running: Mutex::default(),
            checked: Mutex::default(),
        })
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file, from the cache or else fetched into it.
    pub(crate) async fn get(self: &Arc<Self>, source: &impl Source) -> Result<Cached, Problem> {
        let expected = source.expected()?;
        for _ in 0..TRIES {
            if let Some(cached) = self.opened(&expected).await? {
                return Ok(cached);
            }
            let mut outcome = self.fetch(source, expected.sha256);
            let stopped = |_| Problem::internal("a download was stopped");
            let outcome = outcome
                .wait_for(Option::is_some)
                .await
                .map_err(stopped)?
                .clone();
            outcome.unwrap_or_else(|| Err(Problem::internal("a download was stopped")))?;
        }
        self.opened(&expected)
            .await?
            .ok_or_else(|| Problem::internal("a file just verified is gone from the cache"))
    }

    /// The file if it is there, this user's and, to its last byte, the one wanted. What this process
    /// has checked and nobody has touched since is not read again.
    pub(crate) async fn opened(&self, expected: &Expected) -> Result<Option<Cached>, Problem> {
        let failed = |error: io::Error| Problem::internal(format!("cache: {error}"));
        let sha256 = expected.sha256;
        let path = self.path(sha256);
        let known = self.checked().get(&sha256).copied();
        let expected = expected.clone();
        let found = match look_again(&path, known) {
            Some(found) => found,
            None => blocking(move || look(&path, &expected)).await,
        };
        let (file, stamp, start) = match found {
            Ok(Look::Fits(file, stamp, start)) => (file, stamp, start),
            Ok(Look::Differs) => {
                tracing::warn!(%sha256, "a file in the cache was altered; it is fetched again");
                self.checked().remove(&sha256);
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        self.checked().insert(sha256, stamp);
        Ok(Some(Cached {
            length: stamp.length,
            file,
            sha256,
            start,
        }))
    }

    /// Starts fetching the file, or joins who has. The fetch goes on when nobody waits any more: an
    /// installer that gave up finds the file when it tries again.
    fn fetch(self: &Arc<Self>, source: &impl Source, sha256: Sha256) -> watch::Receiver<Outcome> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = running.get(&sha256) {
            return outcome.clone();
        }
        let (done, outcome) = watch::channel(None);
        running.insert(sha256, outcome.clone());
        let (cache, source) = (Arc::clone(self), source.clone());
        tokio::spawn(async move {
            let fetched = cache.fetch_now(&source, sha256).await;
            done.send_replace(Some(fetched));
            cache
                .running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&sha256);
        });
        outcome
    }

    async fn fetch_now(&self, source: &impl Source, sha256: Sha256) -> Result<(), Problem> {
        let path = self.path(sha256);
        let failed = |error: io::Error| Problem::internal(format!("cache: {error}"));
        let dir = path.parent().unwrap_or(&self.dir);
        fs::create_dir_all(dir).map_err(failed)?;
        source.fetch(&path).await?;
        // Its bytes were checked on their way here.
        if let Ok(stamp) = fs::metadata(&path).and_then(|about| Stamp::of(&about)) {
            self.checked().insert(sha256, stamp);
            self.make_room(stamp.length, sha256).await;
        }
        Ok(())
    }

    /// Keeps the folder within its limit. The file just fetched stays, however large.
    async fn make_room(&self, added: u64, keep: Sha256) {
        let held = self.held.fetch_add(added, Ordering::Relaxed) + added;
        if held <= self.limit {
            return;
        }
        let (dir, limit) = (self.dir.clone(), self.limit);
        match blocking(move || folder::sweep(&dir, limit, Some(keep))).await {
            Ok(left) => self.held.store(left, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "the cache could not be kept within its limit"),
        }
    }

    fn checked(&self) -> MutexGuard<'_, BTreeMap<Sha256, Stamp>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, sha256: Sha256) -> PathBuf {
        let name = sha256.to_string();
        self.dir.join(&name[..2]).join(name)
    }
}

/// What a file in the cache is.
enum Look {
    Fits(fs::File, Stamp, Option<Piece>),
    Differs,
}

/// Opens a file that is not there, or is the very one that was `known` to fit; `None` where it has to be
/// checked. Its start is read with it where that takes no other thread.
fn look_again(path: &Path, known: Option<Stamp>) -> Option<io::Result<Look>> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) => return Some(Err(error)),
    };
    let stamp = file.metadata().and_then(|about| Stamp::of(&about)).ok()?;
    if known != Some(stamp) {
        return None;
    }
    let (mut start, length) = (Piece::new(), stamp.length);
    let is_read = start.read_now(&file, length)
        || length <= AT_ONCE && start.read_from(&mut file, length).is_ok();
    Some(Ok(Look::Fits(file, stamp, is_read.then_some(start))))
}

/// Opens a file and checks it.
fn look(path: &Path, expected: &Expected) -> io::Result<Look> {
    let mut file = fs::File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?)?;
    if expected.length.is_some_and(|listed| listed != stamp.length) {
        return Ok(Look::Differs);
    }
    let mut check = expected.hashes.check();
    let mut piece = Piece::new();
    loop {
        piece.read_from(&mut file, u64::MAX)?;
        if piece.is_empty() {
            break;
        }
        check.update(piece.as_ref());
    }
    if check.finish() {
        Ok(Look::Fits(file, stamp, None))
    } else {
        Ok(Look::Differs)
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
}
