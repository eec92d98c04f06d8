//! How a store in a bucket is written, and how long its answers are waited for.

use std::time::Duration;

use crate::PolicyError;
use crate::reader::Section;

/// The keys of the table `store`.
pub(crate) const KEYS: &[&str] = &[
    "puts_at_once",
    "bytes_in_flight",
    "part_bytes",
    "connect_timeout",
    "attempt_timeout",
    "longest_pause",
    "retry_for",
    "pointer_max_age",
];

/// Limits of a store in a bucket. A folder has no use for them.
///
/// Policies of before have no such table; for them the default holds, which is that of the policy
/// `small-index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Most writes under way at once; 1 to 1,024.
    pub puts_at_once: u32,
    /// Most bytes that writes under way hold in memory.
    pub bytes_in_flight: u64,
    /// Larger files are sent in parts of this many bytes; 5 MiB to 512 MiB.
    pub part_bytes: u64,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the answer to one try.
    pub attempt_timeout: Duration,
    /// Longest pause between two tries.
    pub longest_pause: Duration,
    /// How long a request is tried again; under 5 minutes, because a try carries the time of the first.
    pub retry_for: Duration,
    /// How long caches may keep what is replaced: `timestamp.json` and pages of the plain mirror, in
    /// seconds.
    pub pointer_seconds: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            puts_at_once: 32,
            bytes_in_flight: 64 << 20,
            part_bytes: 8 << 20,
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(60),
            longest_pause: Duration::from_secs(5),
            retry_for: Duration::from_secs(120),
            pointer_seconds: 10,
        }
    }
}

impl StoreLimits {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            puts_at_once: section.count("puts_at_once", 1..=1024)?,
            bytes_in_flight: section.integer("bytes_in_flight", 1 << 20..=1 << 40)?,
            part_bytes: section.integer("part_bytes", 5 << 20..=512 << 20)?,
            connect_timeout: section.wait("connect_timeout")?,
            attempt_timeout: section.wait("attempt_timeout")?,
            longest_pause: section.wait("longest_pause")?,
            retry_for: section.wait("retry_for")?,
            pointer_seconds: section.wait("pointer_max_age")?.as_secs(),
        })
    }
}
