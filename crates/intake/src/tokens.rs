//! The tokens in force: read again when their file changes.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use metadata::Sha256;

use crate::token::Token;
use crate::token_file::{TokenFile, TokenFileError};

/// How long a change of the file may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tokens by the digests of their secrets. A file that cannot be read leaves those of before in force,
/// and the intake says that it is not ready.
pub(crate) struct Tokens {
    path: PathBuf,
    held: Mutex<Held>,
}

struct Held {
    by_digest: Arc<HashMap<String, Arc<Token>>>,
    stamp: Option<Stamp>,
    looked: Instant,
    /// Why the file as it stands cannot be read.
    problem: Option<String>,
}

/// Changes whenever the file is replaced or written.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp(u64, u64, i64, i64);

impl Tokens {
    pub(crate) fn open(path: &Path) -> Result<Self, TokenFileError> {
        let stamp = stamp(path);
        let file = TokenFile::read(path)?;
        Ok(Self {
            path: path.to_owned(),
            held: Mutex::new(Held {
                by_digest: Arc::new(by_digest(file)),
                stamp,
                looked: Instant::now(),
                problem: None,
            }),
        })
    }

    /// The live token with this secret. It is looked up by its digest, so how long that takes says
    /// nothing about the secrets of others.
    pub(crate) fn find(&self, secret: &str, now: DateTime<Utc>) -> Option<Arc<Token>> {
        let digest = Sha256::of(secret.as_bytes()).to_string();
        let tokens = Arc::clone(&self.fresh().by_digest);
        let token = tokens.get(&digest)?;
        token.is_live(now).then(|| Arc::clone(token))
    }

    /// Why the file cannot be read, if it cannot.
    pub(crate) fn problem(&self) -> Option<String> {
        self.fresh().problem.clone()
    }

    /// How many tokens are held.
    pub(crate) fn count(&self) -> usize {
        self.fresh().by_digest.len()
    }

    fn fresh(&self) -> std::sync::MutexGuard<'_, Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.looked.elapsed() < LOOK_EVERY {
            return held;
        }
        held.looked = Instant::now();
        let found = stamp(&self.path);
        if found == held.stamp && held.problem.is_none() {
            return held;
        }
        match TokenFile::read(&self.path) {
            Ok(file) => {
                held.by_digest = Arc::new(by_digest(file));
                held.stamp = found;
                held.problem = None;
            }
            Err(error) => {
                let mut why = error.to_string();
                if let Some(cause) = std::error::Error::source(&error) {
                    why = format!("{why}: {cause}");
                }
                if held.problem.as_ref() != Some(&why) {
                    tracing::error!("going on with the tokens of before: {why}");
                }
                held.problem = Some(why);
            }
        }
        held
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(path).ok()?;
    Some(Stamp(
        about.ino(),
        about.size(),
        about.mtime(),
        about.mtime_nsec(),
    ))
}

fn by_digest(file: TokenFile) -> HashMap<String, Arc<Token>> {
    let tokens = file.tokens.into_iter();
    tokens
        .filter_map(|token| Some((token.sha256.clone()?, Arc::new(token))))
        .collect()
}
