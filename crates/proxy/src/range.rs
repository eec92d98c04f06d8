//! The one byte range a client may ask for of a verified file (RFC 9110 section 14).

/// What part of a file to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// From the first to the last byte, both included.
    Bytes {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// Nothing: the range lies outside the file.
    Unsatisfiable,
}

impl Part {
    /// Reads `Range` for a file of `length` bytes. `if_range` is the client's condition: only where
    /// it names `etag` does the range count. Several ranges, other units and what is malformed are
    /// passed over, as the RFC allows.
    pub(crate) fn of(range: Option<&str>, if_range: Option<&str>, etag: &str, length: u64) -> Self {
        if if_range.is_some_and(|condition| condition.trim() != etag) {
            return Self::Whole;
        }
        range
            .and_then(|range| range.trim().strip_prefix("bytes="))
            .and_then(|range| range.trim().split_once('-'))
            .and_then(|(first, last)| Self::within(first, last, length))
            .unwrap_or(Self::Whole)
    }

    fn within(first: &str, last: &str, length: u64) -> Option<Self> {
        if first.is_empty() {
            let suffix = number(last)?;
            if suffix == 0 || length == 0 {
                return Some(Self::Unsatisfiable);
            }
            return Some(Self::Bytes {
                first: length.saturating_sub(suffix),
                last: length - 1,
            });
        }
        let first = number(first)?;
        let last = if last.is_empty() {
            u64::MAX
        } else {
            number(last)?
        };
        if last < first {
            return None;
        }
        if first >= length {
            return Some(Self::Unsatisfiable);
        }
        Some(Self::Bytes {
            first,
            last: last.min(length - 1),
        })
    }
}

/// Digits only: `parse` would take a sign as well.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_range_of_bytes_counts() {
        let of = |range| Part::of(Some(range), None, "\"e\"", 10);
        assert_eq!(of("bytes=0-3"), Part::Bytes { first: 0, last: 3 });
        assert_eq!(of("bytes=4-"), Part::Bytes { first: 4, last: 9 });
        assert_eq!(of("bytes=-4"), Part::Bytes { first: 6, last: 9 });
        assert_eq!(of("bytes=-40"), Part::Bytes { first: 0, last: 9 });
        assert_eq!(of("bytes=8-99"), Part::Bytes { first: 8, last: 9 });
        for outside in ["bytes=10-", "bytes=-0"] {
            assert_eq!(of(outside), Part::Unsatisfiable, "{outside}");
        }
        for ignored in [
            "bytes=3-2",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=+1-2",
            "bytes=",
            "0-1",
        ] {
            assert_eq!(of(ignored), Part::Whole, "{ignored}");
        }
    }

    #[test]
    fn the_condition_has_to_name_the_file() {
        let range = Some("bytes=0-3");
        assert_eq!(Part::of(range, Some("\"other\""), "\"e\"", 10), Part::Whole);
        assert_eq!(Part::of(range, Some("W/\"e\""), "\"e\"", 10), Part::Whole);
        assert_ne!(Part::of(range, Some("\"e\""), "\"e\"", 10), Part::Whole);
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_file(range in "bytes=[0-9]{0,21}-[0-9]{0,21}", length: u64) {
            if let Part::Bytes { first, last } = Part::of(Some(&range), None, "", length) {
                prop_assert!(first <= last && last < length);
            }
        }
    }
}
