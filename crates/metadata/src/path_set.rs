//! Which target paths a delegation covers (TUF 4.5 PATHPATTERN, `path_hash_prefixes`).

use std::fmt;

use crate::{MetadataError, Sha256, TargetPath};

/// Which target paths a delegation covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathSet {
    /// Shell-like patterns.
    Patterns(Vec<PathPattern>),
    /// Lower-case hex prefixes of SHA-256(path).
    HashPrefixes(Vec<String>),
}

impl PathSet {
    /// Whether the set covers `path`, whose hash is `hash`.
    #[must_use]
    pub fn covers(&self, path: &TargetPath, hash: &Sha256) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().any(|pattern| pattern.covers(path)),
            Self::HashPrefixes(prefixes) => {
                prefixes.iter().any(|prefix| hash.has_hex_prefix(prefix))
            }
        }
    }
}

/// A path pattern: `*` and `?` within a segment, never across `/` (TUF 4.5 PATHPATTERN).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern(String);

impl PathPattern {
    /// Takes a pattern of printable ASCII. Bracket, brace and backslash forms, which readers
    /// understand differently (reference A.5), are refused.
    pub fn parse(pattern: impl Into<String>) -> Result<Self, MetadataError> {
        let pattern = pattern.into();
        let reason = if pattern.is_empty() || pattern.len() > crate::path::MAX_TARGET_PATH {
            "is empty or longer than 1,024 bytes"
        } else if !pattern.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            "has a byte outside printable ASCII"
        } else if pattern.contains(['[', ']', '{', '}', '\\']) {
            "uses brackets, braces or a backslash, which readers understand differently"
        } else {
            return Ok(Self(pattern));
        };
        Err(MetadataError::PathPattern {
            pattern: crate::error::excerpt(&pattern),
            reason,
        })
    }

    /// The pattern as listed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern covers `path`: as many segments, each matching.
    #[must_use]
    pub fn covers(&self, path: &TargetPath) -> bool {
        let mut patterns = self.0.split('/');
        let mut segments = path.as_str().split('/');
        loop {
            match (patterns.next(), segments.next()) {
                (None, None) => return true,
                (Some(pattern), Some(segment)) if glob(pattern.as_bytes(), segment.as_bytes()) => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Matches one segment, going back to the last `*` only: linear in practice, quadratic at worst.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((star_p, star_t)) => {
                    star = Some((star_p, star_t + 1));
                    p = star_p + 1;
                    t = star_t + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, path: &str) -> bool {
        PathPattern::parse(pattern)
            .unwrap()
            .covers(&TargetPath::parse(path).unwrap())
    }

    /// The examples of TUF 4.5, and what DESIGN's layout relies on.
    #[test]
    fn wildcards_stay_within_their_segment() {
        assert!(covers("targets/*.tgz", "targets/foo.tgz"));
        assert!(!covers("*.tgz", "targets/foo.tgz"));
        assert!(covers("foo-version-?.tgz", "foo-version-a.tgz"));
        assert!(!covers("foo-version-?.tgz", "foo-version-alpha.tgz"));
        assert!(covers("packages/*/*/*", "packages/ab/x/x-1.whl"));
        assert!(!covers("packages/*/*/*", "packages/ab/x/y/x-1.whl"));
        assert!(!covers("packages/*/*", "packages/ab/x/x-1.whl"));
        assert!(covers("a**b*", "axxbab"));
        assert!(!covers("a*b", "axbc"));
        assert!(covers("*", "anything"));
    }

    #[test]
    fn refuses_patterns_that_readers_understand_differently() {
        for bad in ["", "[a]", "{a,b}", "a\\*", "é", "a\0"] {
            assert!(PathPattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
