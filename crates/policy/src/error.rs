//! What can be wrong with a policy file, each with the key and the line to look at.

use crate::{Contradiction, DurationError};

/// Why a policy was refused. Paths are written as in TOML: `roles.root.threshold`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is longer than [`crate::MAX_POLICY_BYTES`].
    #[error("policy file has {bytes} bytes, more than the {limit} that are read")]
    TooLong {
        /// Bytes of the text.
        bytes: usize,
        /// Bytes that are read at most.
        limit: usize,
    },
    /// Not TOML, a key given twice included.
    #[error("policy line {line}: not valid TOML: {message}")]
    Syntax {
        /// Line of the fault, from 1.
        line: usize,
        /// What the TOML parser said.
        message: String,
    },
    /// A key that no policy has.
    #[error("policy line {line}: unknown key `{path}`; known here: {}", known.join(", "))]
    UnknownKey {
        /// The key.
        path: String,
        /// Its line, from 1.
        line: usize,
        /// The keys that may stand there.
        known: &'static [&'static str],
    },
    /// A key that every policy must have.
    #[error("policy line {line}: key `{path}` is missing")]
    MissingKey {
        /// The key.
        path: String,
        /// Line on which its section starts, from 1.
        line: usize,
    },
    /// A value of another TOML type than the key has.
    #[error("policy line {line}: `{path}` must be {expected}, found {found}")]
    WrongType {
        /// The key.
        path: String,
        /// Its line, from 1.
        line: usize,
        /// The type the key has, with its article.
        expected: &'static str,
        /// The type found.
        found: &'static str,
    },
    /// A number outside its bounds.
    #[error("policy line {line}: `{path}` must be {least} to {most}, found {found}")]
    OutOfRange {
        /// The key.
        path: String,
        /// Its line, from 1.
        line: usize,
        /// The number as written.
        found: String,
        /// The smallest number allowed.
        least: u64,
        /// The largest number allowed.
        most: u64,
    },
    /// A text that is no duration, or one of zero or absurd length.
    #[error("policy line {line}: `{path}` = {found:?} {source}")]
    Duration {
        /// The key.
        path: String,
        /// Its line, from 1.
        line: usize,
        /// The text found, shortened.
        found: String,
        /// What is wrong with it.
        source: DurationError,
    },
    /// A word that is none of those the key takes, or one given twice in a list.
    #[error("policy line {line}: `{path}` takes {}, each once; found {found:?}", allowed.join(", "))]
    Choice {
        /// The key.
        path: String,
        /// Its line, from 1.
        line: usize,
        /// The word found, shortened.
        found: String,
        /// The words the key takes.
        allowed: Vec<&'static str>,
    },
    /// A list with nothing in it.
    #[error("policy line {line}: `{path}` must not be empty")]
    Empty {
        /// The key.
        path: String,
        /// Its line, from 1.
        line: usize,
    },
    /// A policy name that is not 1 to 64 lower-case ASCII letters, digits and `-`.
    #[error("policy line {line}: `{path}` = {found:?} is not 1 to 64 of a-z, 0-9 and -")]
    Name {
        /// The key.
        path: String,
        /// Its line, from 1.
        line: usize,
        /// The text found, shortened.
        found: String,
    },
    /// Values that are each allowed, but not together.
    #[error("policy contradicts itself: {0}")]
    Contradiction(#[from] Contradiction),
}
