//! Where the pieces of a download go. A file is written in large pieces: each takes a change of threads and
//! back, which costs more than the writing of a small one.

use std::fs::File;
use std::future::Future;
use std::io::{self, Write};
use std::path::Path;

use tempfile::TempPath;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::task::spawn_blocking;

use crate::piece::{AT_ONCE, PIECE, Piece};

/// What takes pieces.
pub(crate) trait Take: Send {
    /// Takes the next one.
    fn take(&mut self, piece: &[u8]) -> impl Future<Output = io::Result<()>> + Send;
}

/// Anything that can be written to, for [`Take`].
pub(crate) struct Writer<'a, W>(pub(crate) &'a mut W);

impl<W: AsyncWrite + Unpin + Send> Take for Writer<'_, W> {
    async fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.0.write_all(piece).await
    }
}

/// A file under no name yet; it is gone if it is not finished.
pub(crate) struct Spool {
    /// The file, and what is not written yet; none while that is written.
    open: Option<(File, Piece)>,
    path: TempPath,
}

impl Spool {
    /// A new one in the folder of what it will be.
    pub(crate) fn beside(to: &Path) -> io::Result<Self> {
        let dir = to.parent().unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        let unfinished = builder.prefix(".").suffix(".part").tempfile_in(dir)?;
        let (file, path) = unfinished.into_parts();
        Ok(Self {
            open: Some((file, Piece::new())),
            path,
        })
    }

    /// Writes what is left, and gives the file its name; `is_synced` once the disk has it.
    pub(crate) async fn finish(self, to: &Path, is_synced: bool) -> io::Result<()> {
        let Self { open, path } = self;
        let (mut file, left) = open.ok_or_else(given_up)?;
        let to = to.to_path_buf();
        let is_quick = !is_synced && left.len() <= AT_ONCE;
        let finish = move || {
            file.write_all(left.as_ref())?;
            if is_synced {
                file.sync_all()?;
            }
            path.persist(to).map_err(|error| error.error)
        };
        if is_quick {
            return finish();
        }
        spawn_blocking(finish).await.map_err(io::Error::other)?
    }
}

impl Take for Spool {
    async fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        let (mut file, mut gathered) = self.open.take().ok_or_else(given_up)?;
        if !gathered.is_empty() && gathered.len() + piece.len() as u64 > PIECE {
            let written = spawn_blocking(move || {
                file.write_all(gathered.as_ref())?;
                gathered.clear();
                Ok::<_, io::Error>((file, gathered))
            });
            (file, gathered) = written.await.map_err(io::Error::other)??;
        }
        gathered.add(piece);
        self.open = Some((file, gathered));
        Ok(())
    }
}

/// A write before has failed, or was given up.
fn given_up() -> io::Error {
    io::Error::other("a write of this file was not ended")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn what_was_taken_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("file");
        let most = PIECE as usize;
        let pieces: Vec<Vec<u8>> = [0, 1, most - 1, 3, most, most + 1, 2]
            .iter()
            .enumerate()
            .map(|(at, &length)| vec![at as u8; length])
            .collect();
        for is_synced in [false, true] {
            let mut spool = Spool::beside(&to).unwrap();
            for piece in &pieces {
                spool.take(piece).await.unwrap();
            }
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
            spool.finish(&to, is_synced).await.unwrap();
            assert_eq!(fs::read(&to).unwrap(), pieces.concat());
            fs::remove_file(&to).unwrap();
        }
        let mut spool = Spool::beside(&to).unwrap();
        spool.take(&vec![1; 2 * most]).await.unwrap();
        spool.take(b"more").await.unwrap();
        drop(spool);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
