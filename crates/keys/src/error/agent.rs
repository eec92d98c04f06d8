//! What can go wrong between this program and an ssh-agent.

use std::io;
use std::path::PathBuf;

/// An ssh-agent could not be used.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Nobody said where the agent listens.
    #[error("no ssh-agent is known; is SSH_AUTH_SOCK set?")]
    NoSocket,
    /// Nobody listens there.
    #[error("no ssh-agent answers at `{}`", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the ssh-agent broke")]
    Io {
        /// Why.
        source: io::Error,
    },
    /// The agent did not answer in time. It may be waiting for a person to confirm (`ssh-add -c`).
    #[error("the ssh-agent did not answer within {seconds} seconds")]
    Timeout {
        /// How long it had.
        seconds: u64,
    },
    /// The answer is larger than any that is expected.
    #[error("the ssh-agent announced an answer of {length} bytes; at most {limit} are read")]
    TooLong {
        /// Bytes announced.
        length: usize,
        /// Most bytes read.
        limit: usize,
    },
    /// The answer is not what the protocol prescribes (draft-ietf-sshm-ssh-agent).
    #[error("the ssh-agent's answer is malformed")]
    Malformed,
    /// The agent refused: it is locked, or a person said no.
    #[error("the ssh-agent refused; it may be locked (`ssh-add -X` unlocks), or somebody said no")]
    Refused,
    /// No key of the agent has this fingerprint or comment.
    #[error("the ssh-agent holds no such key among its {held}; `ssh-add -l` lists them")]
    NotFound {
        /// How many keys it holds.
        held: usize,
    },
    /// Several keys have this comment.
    #[error("the ssh-agent holds {} such keys; name one of {}", fingerprints.len(), fingerprints.join(", "))]
    Ambiguous {
        /// Their fingerprints, `SHA256:…`.
        fingerprints: Vec<String>,
    },
    /// A security key signs a structure of its own around the hash of the message, which no TUF
    /// client can verify.
    #[error(
        "it is a `{algorithm}` key: security keys sign their own wrapping, not the metadata itself"
    )]
    SecurityKey {
        /// The algorithm name.
        algorithm: String,
    },
    /// A key whose agent signatures are of no TUF scheme.
    #[error(
        "it is a `{algorithm}` key; through an agent only ssh-ed25519 and ecdsa-sha2-nistp256 sign metadata"
    )]
    Algorithm {
        /// The algorithm name.
        algorithm: String,
    },
    /// Agents take messages up to a limit only, and an agent signs whole messages.
    #[error("the document has {length} bytes; an ssh-agent signs at most {limit}")]
    Document {
        /// Bytes of the document.
        length: usize,
        /// Most bytes signed.
        limit: usize,
    },
}
