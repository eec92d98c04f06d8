//! Version numbers of metadata (TUF 4.3 VERSION).

use std::fmt;

use crate::MetadataError;

/// A version: 1 to 2^53−1, so that every JSON reader sees the same number (reference fact 19).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// The first version of any document.
    pub const FIRST: Self = Self(1);
    /// The largest version: 2^53−1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Checks the range.
    pub const fn new(number: u64) -> Result<Self, MetadataError> {
        if number == 0 || number > Self::MAX.0 {
            return Err(MetadataError::Version { found: number });
        }
        Ok(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The following version; an error after 2^53−1.
    pub const fn next(self) -> Result<Self, MetadataError> {
        Self::new(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_is_one_to_two_to_the_53_minus_one() {
        assert!(Version::new(0).is_err());
        assert!(Version::new(1 << 53).is_err());
        assert_eq!(Version::new((1 << 53) - 1).unwrap(), Version::MAX);
        assert!(Version::MAX.next().is_err());
        assert_eq!(Version::FIRST.next().unwrap().get(), 2);
    }
}
