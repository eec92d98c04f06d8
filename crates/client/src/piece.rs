//! Pieces of files, in memory that is used again: fresh memory costs as much as reading or writing it.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

/// Bytes that are read or written at a time. Each piece is a change of threads and back, which costs more than
/// the reading or writing of a small one; and each download or answer under way holds one.
pub(crate) const PIECE: u64 = 262_144;

/// Length up to which a file of this machine is read, or written where nobody waits for the disk, without a
/// change of threads, which costs more than either.
pub const AT_ONCE: u64 = 65_536;

/// Memory of pieces that are done with, at most this many.
const KEPT: usize = 8;
static DONE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A piece of a file.
#[derive(Debug)]
pub struct Piece {
    /// As long as a piece at least; what is beyond `filled` means nothing.
    memory: Vec<u8>,
    filled: usize,
}

impl Piece {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let done = DONE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self {
            memory: done.unwrap_or_else(|| vec![0; PIECE as usize]),
            filled: 0,
        }
    }

    /// The same as [`Piece::read_from`] if it takes no waiting for a disk: the bytes, or some of them, lie in
    /// memory. Otherwise nothing was read.
    #[cfg(target_os = "linux")]
    pub fn read_now(&mut self, file: &File, length: u64) -> bool {
        use rustix::io::{ReadWriteFlags, preadv2};
        let wanted = length.min(PIECE) as usize;
        let mut memory = [io::IoSliceMut::new(&mut self.memory[..wanted])];
        // From where the file is at, which moves.
        let place = u64::MAX;
        self.filled = preadv2(file, &mut memory, place, ReadWriteFlags::NOWAIT).unwrap_or(0);
        self.filled > 0
    }

    /// Elsewhere no system says so.
    #[cfg(not(target_os = "linux"))]
    pub fn read_now(&mut self, _file: &File, _length: u64) -> bool {
        false
    }

    /// Reads the next `length` bytes in place of what it has, or fewer at the end of the file; never
    /// more than a piece has, 256 kB.
    pub fn read_from(&mut self, file: &mut File, length: u64) -> io::Result<()> {
        self.filled = 0;
        let wanted = length.min(PIECE) as usize;
        while self.filled < wanted {
            match file.read(&mut self.memory[self.filled..wanted]) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Adds bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        if end > self.memory.len() {
            self.memory.resize(end, 0);
        }
        self.memory[self.filled..end].copy_from_slice(bytes);
        self.filled = end;
    }

    /// Lets go of what it has.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.filled as u64
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }
}

impl Default for Piece {
    fn default() -> Self {
        Self::new()
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // One that grew, for a piece of a download that is larger, is not kept.
        if self.memory.len() as u64 != PIECE {
            return;
        }
        let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
        if done.len() < KEPT {
            done.push(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    #[test]
    fn a_piece_has_what_was_put_in_last_and_nothing_of_before() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; PIECE as usize + 3]).unwrap();
        file.rewind().unwrap();
        let mut piece = Piece::new();
        piece.add(b"before");
        if piece.read_now(&file, 2) {
            assert_eq!(piece.as_ref(), [7, 7]);
            file.rewind().unwrap();
        }
        piece.read_from(&mut file, u64::MAX).unwrap();
        assert_eq!(piece.as_ref(), vec![7; PIECE as usize]);
        piece.read_from(&mut file, 2).unwrap();
        assert_eq!(piece.as_ref(), [7, 7]);
        piece.read_from(&mut file, 2).unwrap();
        assert_eq!(piece.as_ref(), [7]);
        piece.read_from(&mut file, 2).unwrap();
        assert!(piece.is_empty() && piece.as_ref().is_empty());
        piece.add(&vec![1; PIECE as usize]);
        piece.add(&[2]);
        assert_eq!(piece.len(), PIECE + 1);
        assert_eq!(piece.as_ref().last(), Some(&2));
        piece.clear();
        drop(piece);
        assert!(Piece::new().is_empty());
    }
}
