//! Why a text is no lock file that can be checked.

use index::{ProjectNameError, SpecifierError};
use thiserror::Error;

/// Why a text is no lock file that can be checked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LockError {
    /// More bytes than a lock file may have.
    #[error("has {bytes} bytes, more than {limit}")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not TOML, or not with the members a lock file of its kind has.
    #[error("is no such lock file: {why}")]
    Toml {
        /// What is wrong, and in which line.
        why: String,
    },
    /// A version of the format that this program does not know.
    #[error("has version {found} of its format, this program reads {known}")]
    Format {
        /// The version stated.
        found: String,
        /// What is read.
        known: &'static str,
    },
    /// A name no project has.
    #[error("names a project that cannot be one")]
    Name {
        /// What is wrong with it.
        source: ProjectNameError,
    },
    /// A text that is no requirement (PEP 508).
    #[error("`{found}` is no requirement: it {why}")]
    Requirement {
        /// The text, shortened.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A requirement whose versions cannot be read (PEP 440).
    #[error("asks for versions that cannot be read")]
    Specifiers {
        /// What is wrong with them.
        source: SpecifierError,
    },
    /// A digest that is none.
    #[error("has `{found}` for a digest")]
    Hash {
        /// The text found.
        found: String,
    },
    /// A line of a requirements file that is not understood.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl From<toml::de::Error> for LockError {
    fn from(error: toml::de::Error) -> Self {
        Self::Toml {
            why: crate::excerpt(&error.to_string().replace('\n', " ")),
        }
    }
}
