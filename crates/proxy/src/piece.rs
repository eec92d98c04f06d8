//! Pieces of files on their way out, in memory that is used again: fresh memory costs as much as the reading.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

/// Bytes read at a time. Each piece is a change of threads and back, which costs more than the reading
/// of a small one; and each connection holds one piece.
pub(crate) const PIECE: u64 = 262_144;

/// Memory of pieces that were sent, at most this many.
const KEPT: usize = 8;
static SENT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A piece of a file.
#[derive(Debug)]
pub(crate) struct Piece(Vec<u8>);

impl Piece {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let sent = SENT.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(sent.unwrap_or_else(|| Vec::with_capacity(PIECE as usize)))
    }

    /// Reads the next `length` bytes, or fewer at the end of the file.
    pub(crate) fn read_from(&mut self, file: &mut File, length: u64) -> io::Result<()> {
        self.0.clear();
        file.take(length.min(PIECE)).read_to_end(&mut self.0)?;
        Ok(())
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() < KEPT {
            self.0.clear();
            sent.push(std::mem::take(&mut self.0));
        }
    }
}
