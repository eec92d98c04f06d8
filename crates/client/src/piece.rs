//! Pieces of files, in memory that is used again: fresh memory costs as much as reading or writing it.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

/// Bytes that are read or written at a time. Each piece is a change of threads and back, which costs more than
/// the reading or writing of a small one; and each download or answer under way holds one.
pub const PIECE: u64 = 262_144;

/// Memory of pieces that are done with, at most this many.
const KEPT: usize = 8;
static DONE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A piece of a file.
#[derive(Debug)]
pub struct Piece(Vec<u8>);

impl Piece {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let done = DONE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(done.unwrap_or_else(|| Vec::with_capacity(PIECE as usize)))
    }

    /// Reads the next `length` bytes in place of what it has, or fewer at the end of the file.
    pub fn read_from(&mut self, file: &mut File, length: u64) -> io::Result<()> {
        self.0.clear();
        file.take(length.min(PIECE)).read_to_end(&mut self.0)?;
        Ok(())
    }

    /// Adds bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Lets go of what it has.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Piece {
    fn default() -> Self {
        Self::new()
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // One that grew beyond its size, by a piece of a download that is larger, is not kept.
        if self.0.capacity() as u64 > PIECE {
            return;
        }
        let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
        if done.len() < KEPT {
            self.0.clear();
            done.push(std::mem::take(&mut self.0));
        }
    }
}
