//! How long the key service is waited for, how often it is asked again, and by how many at once.

use std::time::Duration;

/// Limits of everything that goes over the network. The defaults keep below the request quota that
/// a region shares among all callers of an account (KMS developer guide, "Request quotas"): eight
/// callers that are told to slow down send fewer than 200 requests a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KmsLimits {
    /// Most requests of one signer under way at once; at least one is always allowed. 8.
    pub concurrency: usize,
    /// Most tries of one request, the first included; only what may pass is tried again:
    /// throttling, faults of the service, broken connections, tries out of time. 6.
    pub attempts: u32,
    /// Longest pause before the second try; each further pause may be twice as long, and each is
    /// shortened at random so that callers do not return together. 100 ms.
    pub first_backoff: Duration,
    /// Longest pause. 5 s.
    pub longest_backoff: Duration,
    /// Longest wait for a connection. 3 s.
    pub connect: Duration,
    /// Longest wait for the answer of one try. 5 s.
    pub attempt: Duration,
    /// Longest wait for a request with all its tries; nothing hangs longer. 30 s.
    pub call: Duration,
}

impl Default for KmsLimits {
    fn default() -> Self {
        Self {
            concurrency: 8,
            attempts: 6,
            first_backoff: Duration::from_millis(100),
            longest_backoff: Duration::from_secs(5),
            connect: Duration::from_secs(3),
            attempt: Duration::from_secs(5),
            call: Duration::from_secs(30),
        }
    }
}

/// Most bytes of an answer. Real ones stay below 3 kB.
pub(crate) const MAX_ANSWER: usize = 64 * 1024;

/// Most bytes that KMS signs as they are (AWS KMS API reference, `Sign`: `Message`).
pub const MAX_RAW_MESSAGE: usize = 4096;
