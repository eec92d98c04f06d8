//! Versions by PEP 440: needed to list a page's versions in order, and to tell that the version in a
//! file's name and the one in its metadata are the same one.

mod scan;
mod specifier;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

use thiserror::Error;

use crate::excerpt;
use scan::{FORM, Scan};
pub use specifier::{MAX_SPECIFIERS, SpecifierError, Specifiers};

/// Longest version accepted, in bytes: longer ones cannot stand in a file's name anyway.
pub const MAX_VERSION: usize = 128;

/// A version by PEP 440, in normal form; ordered and compared by PEP 440, so `1.0 == 1.0.0`.
#[derive(Clone)]
pub struct Version440 {
    text: String,
    key: Key,
}

/// Why a text is not a version (PEP 440 "Appendix B").
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("version {found} {reason}")]
pub struct VersionError {
    /// The text as received, shortened.
    pub found: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What decides the order, most significant first. The order of the variants of its enums is the
/// order of PEP 440 "Summary of permitted suffixes and relative ordering".
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    epoch: u64,
    /// Without trailing zeros.
    release: Vec<u64>,
    pre: Pre,
    post: Option<u64>,
    dev: Dev,
    local: Option<Vec<Local>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Pre {
    /// `1.0.dev1` comes before `1.0a1`.
    DevOfFinal,
    Alpha(u64),
    Beta(u64),
    Candidate(u64),
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Dev {
    Number(u64),
    None,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Local {
    Text(String),
    Number(u64),
}

impl Version440 {
    /// Parses `text`, spelled in any way PEP 440 "Normalization" allows, but without white space.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let error = |reason| VersionError {
            found: excerpt(text),
            reason,
        };
        if text.len() > MAX_VERSION {
            return Err(error("is longer than 128 bytes"));
        }
        let lower = text.to_ascii_lowercase();
        let mut scan = Scan { rest: &lower };
        let (release, key) = scan.version().map_err(error)?;
        if !scan.rest.is_empty() {
            return Err(error(FORM));
        }
        Ok(Self {
            text: key.to_text(&release),
            key,
        })
    }

    /// The normal form (PEP 440 "Normalization"): `1.0-Beta-1` becomes `1.0b1`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Key {
    fn to_text(&self, release: &[u64]) -> String {
        let mut out = String::new();
        if self.epoch != 0 {
            put(&mut out, format_args!("{}!", self.epoch));
        }
        for (at, part) in release.iter().enumerate() {
            put(
                &mut out,
                format_args!("{}{part}", if at == 0 { "" } else { "." }),
            );
        }
        match self.pre {
            Pre::Alpha(n) => put(&mut out, format_args!("a{n}")),
            Pre::Beta(n) => put(&mut out, format_args!("b{n}")),
            Pre::Candidate(n) => put(&mut out, format_args!("rc{n}")),
            Pre::DevOfFinal | Pre::None => {}
        }
        if let Some(n) = self.post {
            put(&mut out, format_args!(".post{n}"));
        }
        if let Dev::Number(n) = self.dev {
            put(&mut out, format_args!(".dev{n}"));
        }
        for (at, part) in self.local.iter().flatten().enumerate() {
            out.push(if at == 0 { '+' } else { '.' });
            match part {
                Local::Text(text) => out.push_str(text),
                Local::Number(n) => put(&mut out, format_args!("{n}")),
            }
        }
        out
    }
}

fn put(out: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

impl PartialEq for Version440 {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Version440 {}

impl PartialOrd for Version440 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version440 {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl Hash for Version440 {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Display for Version440 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Version440 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}
