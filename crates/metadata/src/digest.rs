//! SHA-256 digests: of metadata files, target files and target paths.

use std::fmt;
use std::str::FromStr;

use crate::MetadataError;

/// A SHA-256 digest, 32 bytes; printed and parsed as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Returns the digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut out = [0; 32];
        out.copy_from_slice(digest.as_ref());
        Self(out)
    }

    /// Wraps 32 bytes computed elsewhere, for example by a streaming hasher.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the hex form begins with `prefix`, lower-case hex digits (TUF 4.5
    /// `path_hash_prefixes`). Nothing is formatted: a lookup asks this once per bin.
    #[must_use]
    pub fn has_hex_prefix(&self, prefix: &str) -> bool {
        prefix.len() <= 64
            && prefix.bytes().enumerate().all(|(at, digit)| {
                let byte = self.0[at / 2];
                let half = if at % 2 == 0 { byte >> 4 } else { byte & 0xf };
                nibble(digit) == half
            })
    }

    /// Parses exactly 64 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, MetadataError> {
        let malformed = || MetadataError::Digest {
            found: crate::error::excerpt(text),
        };
        if text.len() != 64 {
            return Err(malformed());
        }
        let mut out = [0; 32];
        // Bins hold hundreds of digests: what is no digit is noticed once, at the end.
        let mut wrong = 0;
        for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (high, low) = (nibble(pair[0]), nibble(pair[1]));
            wrong |= high | low;
            *byte = high << 4 | low & 0xf;
        }
        if wrong > 0xf {
            return Err(malformed());
        }
        Ok(Self(out))
    }
}

/// The value of a lower-case hex digit; above 15 for anything else.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => 0x10,
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

impl FromStr for Sha256 {
    type Err = MetadataError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// A SHA-256 computed piece by piece, for files too large to hold in memory.
pub struct Sha256Stream(ring::digest::Context);

impl Sha256Stream {
    /// Starts an empty digest.
    #[must_use]
    pub fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }

    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Returns the digest of all pieces.
    #[must_use]
    pub fn finish(self) -> Sha256 {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        Sha256(out)
    }
}

impl Default for Sha256Stream {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_vector_and_round_trip() {
        let abc = Sha256::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(abc.to_string(), text);
        assert_eq!(Sha256::parse(text).unwrap(), abc);
        let mut stream = Sha256Stream::new();
        stream.update(b"a");
        stream.update(b"bc");
        assert_eq!(stream.finish(), abc);
    }

    #[test]
    fn hex_prefixes_are_those_of_the_hex_form() {
        let abc = Sha256::of(b"abc");
        let hex = abc.to_string();
        for end in 0..=64 {
            assert!(abc.has_hex_prefix(&hex[..end]));
        }
        for bad in ["b", "bA", "ba79", "c", &format!("{hex}0")] {
            assert_eq!(abc.has_hex_prefix(bad), hex.starts_with(bad), "{bad}");
        }
    }

    #[test]
    fn refuses_upper_case_and_wrong_lengths() {
        for bad in [
            "",
            "ba78",
            &"A".repeat(64),
            &"g".repeat(64),
            &"a".repeat(65),
        ] {
            assert!(Sha256::parse(bad).is_err(), "{bad}");
        }
    }
}
