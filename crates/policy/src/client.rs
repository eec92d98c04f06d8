//! What a client refuses to read, follow or wait for.

use std::time::Duration;

use crate::PolicyError;
use crate::reader::Section;

/// Largest byte limit that a policy may set: 1 TB.
pub(crate) const MAX_BYTES: u64 = 1_000_000_000_000;

/// The keys of the table `client`.
pub(crate) const KEYS: &[&str] = &[
    "root_bytes",
    "timestamp_bytes",
    "snapshot_bytes",
    "targets_bytes",
    "listed_bytes",
    "page_bytes",
    "file_bytes",
    "root_rotations",
    "delegations",
    "signatures",
    "connect_timeout",
    "read_timeout",
    "minimum_bytes_per_second",
    "speed_window",
];

/// Limits of a client. Sizes are in bytes of the identity encoding, before any decompression.
///
/// The default is what `policy/small-index.toml` says; python-tuf, go-tuf and tuf-js read the
/// same sizes and counts. `policy N.M` is a section of `policy/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// One root file; 512,000 (`TUF 5.3.3` W, `policy 6.1`).
    pub root_bytes: u64,
    /// The timestamp; 16,384 (`TUF 5.4.1` X, `policy 6.1`).
    pub timestamp_bytes: u64,
    /// A snapshot; 2,000,000 (`TUF 5.5.1` Y, `policy 6.1`).
    pub snapshot_bytes: u64,
    /// One targets role; 5,000,000 (`TUF 5.6.1` Z, `policy 6.1`).
    pub targets_bytes: u64,
    /// Any metadata file, however great the length listed for it, which otherwise stands in for
    /// the limits above; 32,000,000 (`TUF 5.5.1`, `policy 6.9`).
    pub listed_bytes: u64,
    /// A project page; 32,000,000 (`TUF 5.7.3`, `policy 6.4`).
    pub page_bytes: u64,
    /// A distribution file; 5,000,000,000 (`TUF 5.7.3`, `policy 6.5`).
    pub file_bytes: u64,
    /// New roots followed in one update; 256 (`TUF 5.3.3` Y, `policy 6.2`).
    pub root_rotations: u32,
    /// Targets roles visited in one lookup, the top-level one included; 32 (`TUF 5.6.7.1`,
    /// `policy 6.3`).
    pub delegations: u32,
    /// Signatures in one file; 64 (`TUF 5.3.4`, `policy 6.6`).
    pub signatures: u32,
    /// Wait for a connection; 10 s (`PEP 458 "Appendix A"`, `policy 6.7`).
    pub connect_timeout: Duration,
    /// Wait for the next byte; 30 s (`PEP 458 "Appendix A"`, `policy 6.7`).
    pub read_timeout: Duration,
    /// Mean speed below which a download is given up; 1,024 (`PEP 458 "Appendix A"`,
    /// `policy 6.8`).
    pub minimum_bytes_per_second: u64,
    /// Time over which that mean is taken; 30 s (`PEP 458 "Appendix A"`, `policy 6.8`).
    pub speed_window: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            root_bytes: 512_000,
            timestamp_bytes: 16_384,
            snapshot_bytes: 2_000_000,
            targets_bytes: 5_000_000,
            listed_bytes: 32_000_000,
            page_bytes: 32_000_000,
            file_bytes: 5_000_000_000,
            root_rotations: 256,
            delegations: 32,
            signatures: 64,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            minimum_bytes_per_second: 1_024,
            speed_window: Duration::from_secs(30),
        }
    }
}

impl ClientLimits {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        let bytes = |key| section.integer(key, 1..=MAX_BYTES);
        Ok(Self {
            root_bytes: bytes("root_bytes")?,
            timestamp_bytes: bytes("timestamp_bytes")?,
            snapshot_bytes: bytes("snapshot_bytes")?,
            targets_bytes: bytes("targets_bytes")?,
            listed_bytes: bytes("listed_bytes")?,
            page_bytes: bytes("page_bytes")?,
            file_bytes: bytes("file_bytes")?,
            root_rotations: section.count("root_rotations", 1..=1_024)?,
            delegations: section.count("delegations", 1..=1_024)?,
            signatures: section.count("signatures", 1..=1_024)?,
            connect_timeout: section.wait("connect_timeout")?,
            read_timeout: section.wait("read_timeout")?,
            minimum_bytes_per_second: bytes("minimum_bytes_per_second")?,
            speed_window: section.wait("speed_window")?,
        })
    }
}

impl From<&ClientLimits> for trust::Limits {
    /// The limits as the trust code takes them. The policy counts the top-level role among those
    /// visited, the trust code only delegated ones.
    fn from(limits: &ClientLimits) -> Self {
        Self {
            root: limits.root_bytes,
            timestamp: limits.timestamp_bytes,
            snapshot: limits.snapshot_bytes,
            targets: limits.targets_bytes,
            listed: limits.listed_bytes,
            root_rotations: limits.root_rotations,
            delegations: limits.delegations.saturating_sub(1).max(1) as usize,
            signatures: limits.signatures as usize,
        }
    }
}
