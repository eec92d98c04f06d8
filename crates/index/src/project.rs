//! Project names: normalized once on entry, so that no two spellings become two targets or roles.

use std::fmt;
use std::str::FromStr;

use metadata::Sha256;
use thiserror::Error;

use crate::excerpt;

/// Longest project name accepted, in bytes.
///
/// The name must fit, with `project-` before it and `--SUB` after it, into a role name of at most
/// 200 bytes, and leave room for version and tags in a file name of at most 255.
pub const MAX_PROJECT_NAME: usize = 128;

/// A project's name in normal form (PEP 503 "Normalized Names"): lower-case ASCII letters, digits
/// and single dashes, beginning and ending with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(String);

/// Why a text is not a project's name (PEP 508 "Names").
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProjectNameError {
    /// Nothing there.
    #[error("project name is empty")]
    Empty,
    /// More than [`MAX_PROJECT_NAME`] bytes.
    #[error("project name {name} has {length} bytes, more than {MAX_PROJECT_NAME}")]
    TooLong {
        /// How the name begins.
        name: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A byte that no name may have, or a `-`, `_` or `.` at one end.
    #[error("project name {name} is not letters, digits, `.`, `_`, `-` between letters or digits")]
    Malformed {
        /// The name as received, shortened.
        name: String,
    },
}

impl ProjectName {
    /// Checks `name` (PEP 508) and brings it into normal form (PEP 503).
    pub fn parse(name: &str) -> Result<Self, ProjectNameError> {
        if name.is_empty() {
            return Err(ProjectNameError::Empty);
        }
        if name.len() > MAX_PROJECT_NAME {
            return Err(ProjectNameError::TooLong {
                name: excerpt(name),
                length: name.len(),
            });
        }
        let bytes = name.as_bytes();
        let ends = [bytes[0], bytes[bytes.len() - 1]];
        if !ends.iter().all(u8::is_ascii_alphanumeric)
            || !bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || is_separator(*b))
        {
            return Err(ProjectNameError::Malformed {
                name: excerpt(name),
            });
        }
        Ok(Self(normalized(name)))
    }

    /// Parses a name that has to be in normal form already, as in paths and signed pages.
    pub fn parse_normalized(name: &str) -> Result<Self, ProjectNameError> {
        let parsed = Self::parse(name)?;
        if parsed.0 == name {
            Ok(parsed)
        } else {
            Err(ProjectNameError::Malformed {
                name: excerpt(name),
            })
        }
    }

    /// The name in normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shard of the name: the first byte of its SHA-256.
    #[must_use]
    pub fn shard(&self) -> Shard {
        Shard(Sha256::of(self.0.as_bytes()).as_bytes()[0])
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b'.')
}

/// Lower case, every run of `-`, `_` and `.` one dash. `name` is ASCII.
fn normalized(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if !is_separator(byte) {
            out.push(char::from(byte.to_ascii_lowercase()));
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    out
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl FromStr for ProjectName {
    type Err = ProjectNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

/// The `XX` of target paths, 0–255; printed as two lower-case hex digits.
///
/// It keeps the patterns of delegations at constant depth and lets one `claimed` role answer for a
/// known part of all projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// Wraps the first byte of a name's SHA-256.
    #[must_use]
    pub const fn new(byte: u8) -> Self {
        Self(byte)
    }

    /// The byte, 0–255.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Parses exactly two lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 2 || !text.bytes().all(is_hex) {
            return None;
        }
        u8::from_str_radix(text, 16).ok().map(Self)
    }

    /// All 256 shards, ascending.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_project_are_one_name() {
        for spelling in [
            "friendly-bard",
            "Friendly-Bard",
            "FRIENDLY.BARD",
            "friendly_.-bard",
        ] {
            assert_eq!(
                ProjectName::parse(spelling).unwrap().as_str(),
                "friendly-bard"
            );
        }
        assert_eq!(ProjectName::parse("A").unwrap().as_str(), "a");
    }

    #[test]
    fn refuses_what_is_no_name() {
        for bad in [
            "", "-a", "a-", "_", ".a", "a b", "a/b", "é", "a\0b", "a..", "а",
        ] {
            assert!(ProjectName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ProjectName::parse(&"a".repeat(MAX_PROJECT_NAME)).is_ok());
        assert!(matches!(
            ProjectName::parse(&"a".repeat(MAX_PROJECT_NAME + 1)),
            Err(ProjectNameError::TooLong { length: 129, .. })
        ));
        assert!(ProjectName::parse_normalized("Foo").is_err());
    }

    /// `printf requests | sha256sum` begins with ec.
    #[test]
    fn shard_is_the_first_byte_of_the_digest() {
        let shard = ProjectName::parse("Requests").unwrap().shard();
        assert_eq!(shard.to_string(), "ec");
        assert_eq!(Shard::parse("ec"), Some(shard));
        for bad in ["", "e", "eC", "+1", "ec0", "zz"] {
            assert_eq!(Shard::parse(bad), None, "{bad}");
        }
        assert_eq!(Shard::all().count(), 256);
    }

    proptest! {
        #[test]
        fn normal_form_is_stable_and_plain(name in "[A-Za-z0-9._-]{1,20}") {
            if let Ok(parsed) = ProjectName::parse(&name) {
                prop_assert_eq!(&ProjectName::parse_normalized(parsed.as_str()).unwrap(), &parsed);
                prop_assert!(!parsed.as_str().contains("--"));
                prop_assert!(!parsed.as_str().contains(['.', '_']));
            }
        }

        #[test]
        fn never_panics(name in "\\PC{0,40}") {
            let _ = ProjectName::parse(&name);
        }
    }
}
