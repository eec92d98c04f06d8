//! Downloads target files: to a final name only what fits to the last byte (TUF 5.7.3).

use std::io;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use metadata::TargetPath;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use trust::VerifiedTarget;
use url::Url;

use crate::location::local_name;
use crate::spool::{Spool, Take, Writer};
use crate::verified_file::{Check, VerifiedFile};
use crate::{ClientError, Session, TransportError, Wanted};

/// Bytes read at a time of a file that is already there.
const PIECE: usize = 65_536;

/// Memory set aside for a file before anything has come.
const FIRST_ALLOCATION: u64 = 65_536;

impl Session {
    /// Downloads a target into `writer`, checking it piece by piece. After an error `writer` holds
    /// bytes that nobody vouches for: it has to be thrown away.
    pub async fn download(
        &self,
        target: &VerifiedTarget,
        writer: &mut (impl AsyncWrite + Unpin + Send),
    ) -> Result<(), ClientError> {
        self.download_file(&target.clone().into(), writer).await
    }

    /// Downloads a target into the folder `dir`, under its whole path, escaped. See
    /// [`Session::download_as`].
    pub async fn download_to(
        &self,
        target: &VerifiedTarget,
        dir: &Path,
    ) -> Result<PathBuf, ClientError> {
        let to = dir.join(local_name(target.path()));
        self.download_as(&target.clone().into(), &to).await?;
        Ok(to)
    }

    /// Downloads a file to `to`. It appears there whole and verified, or not at all, and nothing is
    /// left beside it. Nothing is fetched if the file there already fits.
    pub async fn download_as(&self, file: &VerifiedFile, to: &Path) -> Result<(), ClientError> {
        if fits(file, to).await {
            return Ok(());
        }
        self.spooled(file, to, true).await
    }

    /// The same into a cache that checks what it finds after a failure of power, so that nobody waits for
    /// the disk. What is there already is replaced.
    pub async fn download_into_cache(
        &self,
        file: &VerifiedFile,
        to: &Path,
    ) -> Result<(), ClientError> {
        self.spooled(file, to, false).await
    }

    async fn spooled(
        &self,
        file: &VerifiedFile,
        to: &Path,
        is_synced: bool,
    ) -> Result<(), ClientError> {
        let failed = |source| ClientError::File {
            path: to.to_path_buf(),
            action: "written",
            source,
        };
        let mut spool = Spool::beside(to).map_err(failed)?;
        self.pieces(file, &mut spool).await?;
        spool.finish(to, is_synced).await.map_err(failed)
    }

    /// Downloads a file into memory.
    pub async fn read(&self, file: &VerifiedFile) -> Result<Vec<u8>, ClientError> {
        let mut out = Vec::with_capacity(file.most().min(FIRST_ALLOCATION) as usize);
        self.download_file(file, &mut out).await?;
        Ok(out)
    }

    /// Downloads a file into `writer`, as [`Session::download`].
    pub async fn download_file(
        &self,
        file: &VerifiedFile,
        writer: &mut (impl AsyncWrite + Unpin + Send),
    ) -> Result<(), ClientError> {
        self.pieces(file, &mut Writer(&mut *writer)).await?;
        let flushed = writer.flush().await;
        flushed.map_err(|error| not_written(file.path(), error))
    }

    /// Hands the pieces of a file on as they come; without an error they were whole and verified.
    async fn pieces(&self, file: &VerifiedFile, to: &mut impl Take) -> Result<(), ClientError> {
        let url = self.file_url(file)?;
        let failed = |source: TransportError| {
            if matches!(source, TransportError::NotFound { .. }) {
                self.note_vanished();
            }
            ClientError::transport(Wanted::Target(file.path().clone()), source)
        };
        let mut body = self.shared.transport.get(&url).await.map_err(failed)?;
        let mut check = file.check();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(failed)?;
            check.update(&piece)?;
            let taken = to.take(&piece).await;
            taken.map_err(|error| not_written(file.path(), error))?;
        }
        Ok(check.finish()?)
    }

    /// Where the file's bytes lie.
    fn file_url(&self, file: &VerifiedFile) -> Result<Url, ClientError> {
        let prefix = self.prefix(file)?;
        Ok(self.shared.targets.target(file.path(), prefix.as_deref()))
    }

    /// What stands before the file's name where its bytes lie (TUF 6.2.1).
    pub(crate) fn prefix(&self, file: &VerifiedFile) -> Result<Option<String>, ClientError> {
        let prefixed =
            self.snapped.root().consistent_snapshot && self.shared.config.prefix_targets_with_hash;
        if !prefixed {
            return Ok(None);
        }
        let prefix = file.hashes().prefixes().next();
        let prefix = prefix.ok_or_else(|| ClientError::NoUsableHash {
            path: file.path().clone(),
        })?;
        Ok(Some(prefix))
    }
}

fn not_written(path: &TargetPath, source: io::Error) -> ClientError {
    ClientError::File {
        path: path.as_str().into(),
        action: "written",
        source,
    }
}

/// Whether the file at `path` is the one described. What cannot be read does not fit.
async fn fits(file: &VerifiedFile, path: &Path) -> bool {
    let Ok(mut there) = File::open(path).await else {
        return false;
    };
    let mut check: Check<'_> = file.check();
    let mut piece = vec![0; PIECE];
    loop {
        match there.read(&mut piece).await {
            Ok(0) => return check.finish().is_ok(),
            Ok(read) if check.update(&piece[..read]).is_ok() => {}
            _ => return false,
        }
    }
}
