//! Target paths: the logical names under which files are signed (TUF 4.5 TARGETPATH).

use std::fmt;

use crate::{MetadataError, Sha256};

/// Longest target path accepted, in bytes. PEP 458 reckons with 256; paths of real files with long
/// names reach about 300.
pub const MAX_TARGET_PATH: usize = 1024;

/// A TARGETPATH: printable ASCII, `/`-separated, no empty, `.` or `..` segment, no backslash.
///
/// The same string is listed, hashed for the bins and joined to a base URL, so it is never
/// normalized: what is not already in normal form is refused (reference F22–F24).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetPath(String);

impl TargetPath {
    /// Checks `path` and takes it as it is.
    pub fn parse(path: impl Into<String>) -> Result<Self, MetadataError> {
        let path = path.into();
        match Self::flaw(&path) {
            None => Ok(Self(path)),
            Some(reason) => Err(MetadataError::TargetPath {
                path: crate::error::excerpt(&path),
                reason,
            }),
        }
    }

    /// Says what is wrong with `path` as a target path, if anything.
    #[must_use]
    pub fn flaw(path: &str) -> Option<&'static str> {
        if path.is_empty() {
            return Some("is empty");
        }
        if path.len() > MAX_TARGET_PATH {
            return Some("is longer than 1,024 bytes");
        }
        // Counting has no way out of the loop: the compiler looks at many bytes at once.
        let strange = path.bytes().filter(|b| !(b' '..=b'~').contains(b));
        if strange.count() > 0 {
            return Some("has a byte outside printable ASCII");
        }
        if path.contains('\\') {
            return Some("has a backslash");
        }
        if path
            .split('/')
            .any(|segment| matches!(segment, "" | "." | ".."))
        {
            return Some("has an empty, `.` or `..` segment");
        }
        None
    }

    /// The path as listed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// SHA-256 of the exact bytes of the path: what hash prefixes and bins go by (TUF 4.5).
    #[must_use]
    pub fn hash(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }

    /// The path under which a consistent-snapshot repository keeps these bytes:
    /// `dir/HASH.file` (TUF 6.2.1).
    #[must_use]
    pub fn with_digest(&self, digest: &Sha256) -> String {
        match self.0.rsplit_once('/') {
            Some((dir, file)) => format!("{dir}/{digest}.{file}"),
            None => format!("{digest}.{}", self.0),
        }
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn consistent_name_prefixes_the_last_segment() {
        let digest = Sha256::of(b"");
        let deep = TargetPath::parse("packages/ab/x/x-1.tar.gz").unwrap();
        assert_eq!(
            deep.with_digest(&digest),
            format!("packages/ab/x/{digest}.x-1.tar.gz")
        );
        let flat = TargetPath::parse("x").unwrap();
        assert_eq!(flat.with_digest(&digest), format!("{digest}.x"));
    }

    #[test]
    fn refuses_what_could_leave_a_folder_or_differ_between_readers() {
        for bad in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\\b", "a\0b", "a\nb", "é",
            "a\u{7f}b",
        ] {
            assert!(TargetPath::parse(bad).is_err(), "{bad:?}");
        }
        assert!(TargetPath::parse("a".repeat(MAX_TARGET_PATH + 1)).is_err());
    }

    proptest! {
        #[test]
        fn never_panics_and_keeps_the_string(path in "\\PC{0,40}") {
            if let Ok(parsed) = TargetPath::parse(path.clone()) {
                prop_assert_eq!(parsed.as_str(), path.as_str());
                prop_assert!(!parsed.as_str().split('/').any(|s| s == ".." || s.is_empty()));
            }
        }
    }
}
