//! What can be wrong with an answer of the simulated server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// One way in which a response is not the file asked for.
#[derive(Clone)]
pub enum Bend {
    /// This HTTP status and no body; 404 for a file that is there, or 200 never.
    Status(u16),
    /// No connection.
    Refused,
    /// The connection breaks after so many bytes.
    Broken(usize),
    /// The body ends, properly, after so many bytes.
    Truncated(usize),
    /// Other bytes, also where there is no file.
    Replaced(Bytes),
    /// The file's bytes, changed.
    Changed(Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>),
    /// The file, if there is one, then white space without end (256 MiB). JSON stays JSON, so only a limit
    /// ends it.
    Endless,
    /// The file in pieces of `piece` bytes, each after a pause.
    Slow {
        /// Bytes at a time.
        piece: usize,
        /// Before each of them.
        pause: Duration,
    },
    /// So many bytes of the file, then nothing, with the connection held open.
    Stalled(usize),
}

impl Bend {
    /// The file's bytes, changed by `change`.
    pub fn changed(change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::Changed(Arc::new(change))
    }

    /// Other bytes.
    pub fn replaced(bytes: impl Into<Bytes>) -> Self {
        Self::Replaced(bytes.into())
    }

    /// The file with one bit flipped in its middle: the length stays.
    #[must_use]
    pub fn one_bit() -> Self {
        Self::changed(|mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        })
    }
}

impl fmt::Debug for Bend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Refused => f.write_str("refused"),
            Self::Broken(after) => write!(f, "broken after {after} bytes"),
            Self::Truncated(to) => write!(f, "truncated to {to} bytes"),
            Self::Replaced(by) => write!(f, "replaced by {} bytes", by.len()),
            Self::Changed(_) => f.write_str("changed"),
            Self::Endless => f.write_str("endless"),
            Self::Slow { piece, pause } => write!(f, "{piece} bytes every {pause:?}"),
            Self::Stalled(after) => write!(f, "stalled after {after} bytes"),
        }
    }
}
