//! What a token may do, and for which projects.

use std::fmt;
use std::str::FromStr;

use index::ProjectName;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One thing that a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Add files.
    Add,
    /// Yank files, and undo that.
    Yank,
    /// Remove files and whole projects.
    Remove,
    /// Hand in what developers have signed. Whose word counts, their signatures say.
    Transaction,
    /// See what became of others' changes.
    Read,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Add,
        Self::Yank,
        Self::Remove,
        Self::Transaction,
        Self::Read,
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Yank => "yank",
            Self::Remove => "remove",
            Self::Transaction => "transaction",
            Self::Read => "read",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Not a verb.
#[derive(Debug, thiserror::Error)]
#[error("not one of add, yank, remove, transaction, read")]
pub struct VerbError;

impl FromStr for Verb {
    type Err = VerbError;

    fn from_str(text: &str) -> Result<Self, VerbError> {
        let mut all = Self::ALL.into_iter();
        all.find(|verb| verb.as_str() == text).ok_or(VerbError)
    }
}

/// Which projects: one by its normalized name, all that begin so (`acme-*`), or all (`*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    start: String,
    is_open: bool,
}

/// Not a pattern.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is neither a normalized project name nor the beginning of one with `*` after it")]
pub struct PatternError {
    text: String,
}

impl Pattern {
    /// Whether a project is meant.
    #[must_use]
    pub fn matches(&self, project: &ProjectName) -> bool {
        if self.is_open {
            project.as_str().starts_with(&self.start)
        } else {
            project.as_str() == self.start
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let wrong = || PatternError {
            text: text.to_owned(),
        };
        let Some(start) = text.strip_suffix('*') else {
            let project = ProjectName::parse_normalized(text).map_err(|_| wrong())?;
            return Ok(Self {
                start: project.as_str().to_owned(),
                is_open: false,
            });
        };
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !start.bytes().all(is_plain) || start.starts_with('-') || start.contains("--") {
            return Err(wrong());
        }
        Ok(Self {
            start: start.to_owned(),
            is_open: true,
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.start)?;
        out.write_str(if self.is_open { "*" } else { "" })
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_mean_what_they_say() {
        let matches = |pattern: &str, name: &str| {
            let pattern: Pattern = pattern.parse().unwrap();
            pattern.matches(&ProjectName::parse(name).unwrap())
        };
        assert!(matches("acme", "Acme"));
        assert!(!matches("acme", "acme-tools"));
        assert!(matches("acme-*", "acme.tools"));
        assert!(!matches("acme-*", "acme") && !matches("acme-*", "acmetools"));
        assert!(matches("*", "anything"));
        for wrong in [
            "", "Acme", "a_b", "a.b", "a*b", "*a", "**", "-*", "a--*", "é*", "acme-",
        ] {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_again(text in "[a-z0-9*-]{0,12}") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                prop_assert_eq!(pattern.to_string(), text);
            }
        }
    }
}
