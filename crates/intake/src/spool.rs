//! Takes a body in as it comes, hashed, within limits of size, pause and speed; into memory while it is
//! small, then into a file without a name that is gone with the request.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;
use std::time::Instant;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::StreamExt;
use metadata::{Sha256, Sha256Stream};
use policy::IntakeLimits;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::problem::Problem;

/// Bytes that are kept in memory before a file is made.
const IN_MEMORY: usize = 65_536;

/// A body that came in whole.
pub(crate) struct Spooled {
    held: Held,
    pub(crate) sha256: Sha256,
    pub(crate) length: u64,
}

enum Held {
    Memory(Vec<u8>),
    File(tokio::fs::File),
}

/// Reads bodies.
pub(crate) struct Spool {
    folder: PathBuf,
    limits: IntakeLimits,
}

impl Spool {
    pub(crate) fn new(folder: PathBuf, limits: IntakeLimits) -> Self {
        Self { folder, limits }
    }

    /// Takes a body in that may have so many bytes.
    pub(crate) async fn take(
        &self,
        what: &'static str,
        body: Body,
        limit: u64,
    ) -> Result<Spooled, Problem> {
        let mut pieces = Pieces::new(body, self.limits);
        let mut held = Held::Memory(Vec::new());
        let mut digest = Sha256Stream::new();
        while let Some(piece) = pieces.next().await? {
            if pieces.length > limit {
                return Err(Problem::too_large(what, limit));
            }
            digest.update(&piece);
            held.write(&piece, self).await.map_err(failed)?;
        }
        Ok(Spooled {
            held,
            sha256: digest.finish(),
            length: pieces.length,
        })
    }

    /// Takes a small body into memory.
    pub(crate) async fn read(
        &self,
        what: &'static str,
        body: Body,
        limit: u32,
    ) -> Result<Vec<u8>, Problem> {
        let mut pieces = Pieces::new(body, self.limits);
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await? {
            if pieces.length > u64::from(limit) {
                return Err(Problem::too_large(what, limit.into()));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    fn file(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.folder)
    }
}

impl Held {
    async fn write(&mut self, piece: &[u8], spool: &Spool) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_all(piece).await,
            Self::Memory(bytes) if bytes.len() + piece.len() <= IN_MEMORY => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
            Self::Memory(bytes) => {
                let mut file = tokio::fs::File::from_std(spool.file()?);
                file.write_all(bytes).await?;
                file.write_all(piece).await?;
                *self = Self::File(file);
                Ok(())
            }
        }
    }
}

impl Spooled {
    /// The body as a file, at its beginning.
    pub(crate) async fn into_file(self, spool: &Spool) -> Result<File, Problem> {
        match self.held {
            Held::Memory(bytes) => {
                let write = || -> io::Result<File> {
                    let mut file = spool.file()?;
                    file.write_all(&bytes)?;
                    file.rewind()?;
                    Ok(file)
                };
                write().map_err(failed)
            }
            Held::File(mut file) => {
                file.flush().await.map_err(failed)?;
                file.rewind().await.map_err(failed)?;
                Ok(file.into_std().await)
            }
        }
    }
}

/// The pieces of a body, as long as they come fast enough.
struct Pieces {
    stream: BodyDataStream,
    limits: IntakeLimits,
    begin: Instant,
    length: u64,
}

impl Pieces {
    fn new(body: Body, limits: IntakeLimits) -> Self {
        Self {
            stream: body.into_data_stream(),
            limits,
            begin: Instant::now(),
            length: 0,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let next = tokio::time::timeout(self.limits.read_timeout, self.stream.next());
        let piece = match next.await {
            Err(_) => return Err(Problem::too_slow()),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(Problem::malformed("the body broke off")),
            Ok(Some(Ok(piece))) => piece,
        };
        self.length += piece.len() as u64;
        let elapsed = self.begin.elapsed();
        let least = u64::from(self.limits.minimum_bytes_per_second) * elapsed.as_secs();
        if elapsed > self.limits.read_timeout && self.length < least {
            return Err(Problem::too_slow());
        }
        Ok(Some(piece))
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: io::Error) -> Problem {
    tracing::error!("an upload could not be kept: {error}");
    Problem::failed()
}
