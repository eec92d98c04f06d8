//! What the intake over HTTP takes, from whom how much, and how long it waits.

use std::time::Duration;

use crate::PolicyError;
use crate::reader::Section;

/// The keys of the table `intake`.
pub(crate) const KEYS: &[&str] = &[
    "requests_per_second",
    "request_burst",
    "document_bytes",
    "archive_bytes",
    "changes_per_request",
    "uploads_at_once",
    "waiting_changes",
    "longest_wait",
    "read_timeout",
    "minimum_bytes_per_second",
];

/// Limits of the intake over HTTP.
///
/// Policies of before have no such table; for them the default holds, which is that of the policy
/// `small-index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeLimits {
    /// Requests of one token a second, in the long run.
    pub requests_per_second: u32,
    /// Requests that one token may make at once after a pause.
    pub request_burst: u32,
    /// Largest JSON document, in bytes.
    pub document_bytes: u32,
    /// Largest archive of a transaction, in bytes, with all its files.
    pub archive_bytes: u64,
    /// Most changes that one request may ask for.
    pub changes_per_request: u32,
    /// Files and archives that are on their way in at a time; further ones are put off.
    pub uploads_at_once: u32,
    /// Changes waiting for the signer from which on further ones are put off.
    pub waiting_changes: u32,
    /// Longest that one request may wait for its changes to be published.
    pub longest_wait: Duration,
    /// Longest pause within a request's body.
    pub read_timeout: Duration,
    /// Speed below which a body is given up once `read_timeout` has passed.
    pub minimum_bytes_per_second: u32,
}

impl Default for IntakeLimits {
    fn default() -> Self {
        Self {
            requests_per_second: 200,
            request_burst: 2_000,
            document_bytes: 1_000_000,
            archive_bytes: 10_000_000_000,
            changes_per_request: 500,
            uploads_at_once: 32,
            waiting_changes: 100_000,
            longest_wait: Duration::from_secs(120),
            read_timeout: Duration::from_secs(30),
            minimum_bytes_per_second: 1_024,
        }
    }
}

impl IntakeLimits {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            requests_per_second: section.count("requests_per_second", 1..=1_000_000)?,
            request_burst: section.count("request_burst", 1..=1_000_000)?,
            document_bytes: section.count("document_bytes", 1_024..=16_000_000)?,
            archive_bytes: section.integer("archive_bytes", 1_024..=1_000_000_000_000)?,
            changes_per_request: section.count("changes_per_request", 1..=10_000)?,
            uploads_at_once: section.count("uploads_at_once", 1..=1_024)?,
            waiting_changes: section.count("waiting_changes", 1..=10_000_000)?,
            longest_wait: section.wait("longest_wait")?,
            read_timeout: section.wait("read_timeout")?,
            minimum_bytes_per_second: section.count("minimum_bytes_per_second", 1..=1_000_000)?,
        })
    }
}
