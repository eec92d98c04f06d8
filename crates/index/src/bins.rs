//! Hashed bins: which of 2^B roles answers for a target path (PEP 458 "Metadata Scalability", TAP 15).

use std::fmt;
use std::str::FromStr;

use metadata::{MetadataError, RoleName, Sha256};
use thiserror::Error;

/// Most bins a repository may have. With versions only, a snapshot lists 16,384 of them in 557 kB;
/// the next power would leave too little of clients' 2,000,000 bytes for project roles.
pub const MAX_BINS: u32 = 16_384;

/// How many bins there are: a power of two from 2 to [`MAX_BINS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BinCount {
    bit_length: u8,
}

/// Why a number is not a number of bins.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BinCountError {
    /// Not a power of two, or out of range.
    #[error("{found} bins: not a power of two from 2 to {MAX_BINS}")]
    Count {
        /// The number given.
        found: u64,
    },
    /// No number at all.
    #[error("number of bins {found} is not a number")]
    NotANumber {
        /// The text given, shortened.
        found: String,
    },
}

impl BinCount {
    /// Checks `count`.
    pub fn new(count: u64) -> Result<Self, BinCountError> {
        if count.is_power_of_two() && (2..=u64::from(MAX_BINS)).contains(&count) {
            Ok(Self {
                bit_length: count.trailing_zeros() as u8,
            })
        } else {
            Err(BinCountError::Count { found: count })
        }
    }

    /// Makes a count from TAP 15's `bit_length`, 1–14.
    pub fn from_bit_length(bit_length: u8) -> Result<Self, BinCountError> {
        Self::new(1_u64.checked_shl(bit_length.into()).unwrap_or(u64::MAX))
    }

    /// The number of bins, 2^B.
    #[must_use]
    pub fn get(self) -> u32 {
        1 << self.bit_length
    }

    /// B, 1–14: TAP 15's `bit_length`.
    #[must_use]
    pub fn bit_length(self) -> u8 {
        self.bit_length
    }

    /// The bin that answers for a path with this SHA-256: its first B bits, big-endian (TAP 15).
    #[must_use]
    pub fn bin_of(self, path_hash: &Sha256) -> BinIndex {
        let [first, second, ..] = *path_hash.as_bytes();
        let index = u16::from_be_bytes([first, second]) >> (16 - self.bit_length);
        BinIndex { index, count: self }
    }

    /// The bin of that number, if there are so many.
    #[must_use]
    pub fn bin(self, index: u16) -> Option<BinIndex> {
        (u32::from(index) < self.get()).then_some(BinIndex { index, count: self })
    }

    /// All bins, ascending; also the order of their paths' hashes.
    #[must_use]
    pub fn bins(self) -> impl DoubleEndedIterator<Item = BinIndex> {
        // At most 2^14 bins: the last index fits 16 bits.
        let last = (self.get() - 1) as u16;
        (0..=last).map(move |index| BinIndex { index, count: self })
    }

    /// Hex digits in a hash prefix: ceil(B/4).
    fn prefix_digits(self) -> usize {
        usize::from(self.bit_length).div_ceil(4)
    }
}

impl fmt::Display for BinCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}

impl FromStr for BinCount {
    type Err = BinCountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(count) => Self::new(count),
            Err(_) => Err(BinCountError::NotANumber {
                found: crate::excerpt(text),
            }),
        }
    }
}

/// One bin of a [`BinCount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BinIndex {
    index: u16,
    count: BinCount,
}

impl BinIndex {
    /// The number of the bin, from 0.
    #[must_use]
    pub fn get(self) -> u16 {
        self.index
    }

    /// How many bins there are.
    #[must_use]
    pub fn count(self) -> BinCount {
        self.count
    }

    /// The role's name, `PREFIX-` and the number in hex, as wide as that of the last bin (TAP 15).
    pub fn name(self, prefix: &str) -> Result<RoleName, MetadataError> {
        let width = format!("{:x}", self.count.get() - 1).len();
        RoleName::parse(format!("{prefix}-{:0width$x}", self.index))
    }

    /// The `path_hash_prefixes` that say the same in TUF 1.0 (TUF 4.5): of ceil(B/4) hex digits
    /// each, 16^digits / 2^B of them, ascending.
    #[must_use]
    pub fn hash_prefixes(self) -> Vec<String> {
        let digits = self.count.prefix_digits();
        let spare_bits = 4 * digits - usize::from(self.count.bit_length);
        let first = u32::from(self.index) << spare_bits;
        (first..first + (1 << spare_bits))
            .map(|prefix| format!("{prefix:0digits$x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name_of(path: &str, bit_length: u8) -> String {
        let count = BinCount::from_bit_length(bit_length).unwrap();
        count
            .bin_of(&Sha256::of(path.as_bytes()))
            .name("bins")
            .unwrap()
            .to_string()
    }

    /// Computed by python-tuf (reference, TAP 15).
    #[test]
    fn agrees_with_the_reference_implementation() {
        for (path, names) in [
            (
                "simple/requests/vnd.pypi.simple.v1.json",
                ["09e", "13d", "09ee"],
            ),
            (
                "simple/requests/vnd.pypi.simple.v1.html",
                ["238", "471", "238d"],
            ),
            (
                "packages/requests/requests-2.32.3-py3-none-any.whl",
                ["05e", "0bd", "05e9"],
            ),
        ] {
            for (bit_length, name) in [10, 11, 14].into_iter().zip(names) {
                assert_eq!(name_of(path, bit_length), format!("bins-{name}"), "{path}");
            }
        }
    }

    #[test]
    fn prefixes_of_sixteen_thousand_bins() {
        let count = BinCount::new(16_384).unwrap();
        assert_eq!(
            count.bin(1).unwrap().hash_prefixes(),
            ["0004", "0005", "0006", "0007"]
        );
        assert_eq!(
            count
                .bins()
                .next_back()
                .unwrap()
                .name("b")
                .unwrap()
                .as_str(),
            "b-3fff"
        );
        assert_eq!(count.bin(16_384), None);
        let two = BinCount::new(2).unwrap().bin(1).unwrap();
        assert_eq!(
            two.hash_prefixes(),
            ["8", "9", "a", "b", "c", "d", "e", "f"]
        );
        assert_eq!(two.name("b").unwrap().as_str(), "b-1");
    }

    #[test]
    fn every_prefix_belongs_to_exactly_one_bin() {
        for bit_length in 1..=14 {
            let count = BinCount::from_bit_length(bit_length).unwrap();
            let all: Vec<String> = count.bins().flat_map(BinIndex::hash_prefixes).collect();
            assert_eq!(all.len(), 16_usize.pow(count.prefix_digits() as u32));
            assert!(all.is_sorted_by(|a, b| a < b), "{bit_length}");
        }
    }

    #[test]
    fn counts() {
        for bad in [0, 1, 3, 1_000, 32_768, u64::MAX] {
            assert_eq!(BinCount::new(bad), Err(BinCountError::Count { found: bad }));
        }
        for bad in [0, 15, 64, 255] {
            assert!(BinCount::from_bit_length(bad).is_err(), "{bad}");
        }
        assert_eq!("256".parse::<BinCount>().unwrap().get(), 256);
        assert!("x".parse::<BinCount>().is_err());
    }

    proptest! {
        /// Arithmetic (TAP 15) and hash prefixes (TUF 4.5) name the same bin.
        #[test]
        fn both_encodings_agree(hash in any::<[u8; 32]>(), bit_length in 1_u8..=14) {
            let hash = Sha256::from_bytes(hash);
            let hex = hash.to_string();
            let count = BinCount::from_bit_length(bit_length).unwrap();
            let by_bits = count.bin_of(&hash);
            let by_prefix: Vec<BinIndex> = count
                .bins()
                .filter(|bin| bin.hash_prefixes().iter().any(|prefix| hex.starts_with(prefix)))
                .collect();
            prop_assert_eq!(by_prefix, vec![by_bits]);
        }
    }
}
