//! What a verifying proxy bears with, waits for and keeps.

use std::time::Duration;

use crate::PolicyError;
use crate::client::MAX_BYTES;
use crate::reader::Section;

/// The keys of the table `proxy`.
pub(crate) const KEYS: &[&str] = &[
    "connections",
    "header_timeout",
    "interim_interval",
    "connect_timeout",
    "refresh_interval",
    "refresh_wait",
    "idle_interval",
    "cache_bytes",
    "page_memory_bytes",
    "metadata_memory_bytes",
    "page_read_bytes",
    "listed_bins",
];

/// Limits of a verifying proxy.
///
/// Policies of before have no such table; for them the default holds, which is that of the policy
/// `small-index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyLimits {
    /// Connections open at a time; further ones wait (`policy 13.1`).
    pub connections: u32,
    /// Longest wait for the header of a request (`policy 13.1`).
    pub header_timeout: Duration,
    /// How often an installer that waits for a file is told so, where that helps (`policy 13.2`).
    pub interim_interval: Duration,
    /// Longest wait for a connection to a host that the user allowed (`policy 13.2`).
    pub connect_timeout: Duration,
    /// How long a verified state is served before the index is asked for a newer one (`policy 13.3`).
    pub refresh_interval: Duration,
    /// How long a request waits for a newer state while there is one that may still be served
    /// (`policy 13.3`).
    pub refresh_wait: Duration,
    /// How often a proxy that nobody asks anything asks the index (`policy 13.3`).
    pub idle_interval: Duration,
    /// Bytes of verified files kept on disk (`policy 13.4`).
    pub cache_bytes: u64,
    /// Bytes of pages kept in memory, as signed (`policy 13.5`).
    pub page_memory_bytes: u64,
    /// Bytes of core metadata, taken out of wheels, kept in memory (`policy 13.5`).
    pub metadata_memory_bytes: u64,
    /// Bytes of wheels on disk that are read to show one page (`policy 13.5`).
    pub page_read_bytes: u64,
    /// Most bins that are read for a list of all projects (`policy 13.6`).
    pub listed_bins: u32,
}

impl Default for ProxyLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            header_timeout: Duration::from_secs(30),
            interim_interval: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(20),
            refresh_interval: Duration::from_secs(10),
            refresh_wait: Duration::from_secs(3),
            idle_interval: Duration::from_secs(600),
            cache_bytes: 10_000_000_000,
            page_memory_bytes: 33_554_432,
            metadata_memory_bytes: 16_777_216,
            page_read_bytes: 67_108_864,
            listed_bins: 1_024,
        }
    }
}

impl ProxyLimits {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        let bytes = |key| section.integer(key, 1..=MAX_BYTES);
        Ok(Self {
            connections: section.count("connections", 1..=65_536)?,
            header_timeout: section.wait("header_timeout")?,
            interim_interval: section.wait("interim_interval")?,
            connect_timeout: section.wait("connect_timeout")?,
            refresh_interval: section.wait("refresh_interval")?,
            refresh_wait: section.wait("refresh_wait")?,
            idle_interval: section.wait("idle_interval")?,
            cache_bytes: bytes("cache_bytes")?,
            page_memory_bytes: bytes("page_memory_bytes")?,
            metadata_memory_bytes: bytes("metadata_memory_bytes")?,
            page_read_bytes: bytes("page_read_bytes")?,
            listed_bins: section.count("listed_bins", 1..=16_384)?,
        })
    }
}
