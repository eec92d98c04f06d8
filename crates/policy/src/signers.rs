//! How long keys outside files are waited for, and how hard they are asked.

use std::time::Duration;

use crate::PolicyError;
use crate::reader::Section;

/// The keys of the table `signers`.
pub(crate) const KEYS: &[&str] = &[
    "answer_timeout",
    "kms_concurrency",
    "kms_attempts",
    "kms_longest_pause",
    "kms_connect_timeout",
    "kms_attempt_timeout",
    "kms_call_timeout",
];

/// Limits of keys that agents, external signers and key services hold.
///
/// Policies of before have no such table; for them the default holds, which is that of the policy
/// `small-index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignerLimits {
    /// Longest wait for one answer of an ssh-agent or an external signer.
    pub answer_timeout: Duration,
    /// Most requests to a key service under way at once; 1 to 256.
    pub kms_concurrency: u32,
    /// Most tries of one request to a key service, the first included; 1 to 20.
    pub kms_attempts: u32,
    /// Longest pause between two tries.
    pub kms_longest_pause: Duration,
    /// Longest wait for a connection to a key service.
    pub kms_connect_timeout: Duration,
    /// Longest wait for the answer to one try.
    pub kms_attempt_timeout: Duration,
    /// Longest wait for a request with all its tries.
    pub kms_call_timeout: Duration,
}

impl Default for SignerLimits {
    fn default() -> Self {
        Self {
            answer_timeout: Duration::from_secs(60),
            kms_concurrency: 8,
            kms_attempts: 6,
            kms_longest_pause: Duration::from_secs(5),
            kms_connect_timeout: Duration::from_secs(3),
            kms_attempt_timeout: Duration::from_secs(5),
            kms_call_timeout: Duration::from_secs(30),
        }
    }
}

impl SignerLimits {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            answer_timeout: section.wait("answer_timeout")?,
            kms_concurrency: section.count("kms_concurrency", 1..=256)?,
            kms_attempts: section.count("kms_attempts", 1..=20)?,
            kms_longest_pause: section.wait("kms_longest_pause")?,
            kms_connect_timeout: section.wait("kms_connect_timeout")?,
            kms_attempt_timeout: section.wait("kms_attempt_timeout")?,
            kms_call_timeout: section.wait("kms_call_timeout")?,
        })
    }
}
