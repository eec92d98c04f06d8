//! The bytes of a delta.

use zstd_safe::{CCtx, CParameter, DCtx, get_error_name};

/// How hard zstd looks: above this level a delta of two snapshots gets no smaller worth the time
/// (`tests/bench`).
const LEVEL: i32 = 3;

/// Window of the smallest and the largest frame written, as powers of two: zstd's least, and what it reads
/// without being told to (RFC 8878 3.1.1.1.2).
const WINDOW_LOGS: (u32, u32) = (10, 27);

/// Why there is no delta, or none that can be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// zstd could not compress, or the bytes are no frame with this prefix, or the result is larger than
    /// allowed.
    #[error("zstd: {0}")]
    Zstd(&'static str),
    /// There is no memory for zstd's tables.
    #[error("no memory for zstd")]
    Memory,
    /// What came out is not of the size it must have.
    #[error("{found} bytes came out instead of {expected}")]
    Length {
        /// The size listed, in bytes.
        expected: u64,
        /// The size found.
        found: u64,
    },
}

fn zstd(code: usize) -> DeltaError {
    DeltaError::Zstd(get_error_name(code))
}

/// What `new` differs in from `old`.
pub fn make(old: &[u8], new: &[u8]) -> Result<Vec<u8>, DeltaError> {
    let mut context = CCtx::try_create().ok_or(DeltaError::Memory)?;
    // The prefix counts as long as it lies in the window together with what follows it.
    let window = (old.len() + new.len()).max(1).ilog2() + 1;
    let window = window.clamp(WINDOW_LOGS.0, WINDOW_LOGS.1);
    for parameter in [
        CParameter::CompressionLevel(LEVEL),
        CParameter::WindowLog(window),
        CParameter::ContentSizeFlag(true),
    ] {
        context.set_parameter(parameter).map_err(zstd)?;
    }
    context.ref_prefix(old).map_err(zstd)?;
    let mut delta = Vec::with_capacity(zstd_safe::compress_bound(new.len()));
    context.compress2(&mut delta, new).map_err(zstd)?;
    Ok(delta)
}

/// What `delta` makes of `old`: exactly `length` bytes, or an error. Never takes more memory than that, the
/// fixed tables of zstd and what was given: a frame is decoded into its result in one go, without the window
/// it asks for.
pub fn apply(old: &[u8], delta: &[u8], length: u64) -> Result<Vec<u8>, DeltaError> {
    let capacity = usize::try_from(length).map_err(|_| DeltaError::Memory)?;
    let mut new = Vec::new();
    new.try_reserve_exact(capacity)
        .map_err(|_| DeltaError::Memory)?;
    let mut context = DCtx::try_create().ok_or(DeltaError::Memory)?;
    context.ref_prefix(old).map_err(zstd)?;
    context.decompress(&mut new, delta).map_err(zstd)?;
    if new.len() as u64 == length {
        return Ok(new);
    }
    Err(DeltaError::Length {
        expected: length,
        found: new.len() as u64,
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn snapshot(bins: u32, touched: u32) -> Vec<u8> {
        let mut out = String::new();
        for bin in 0..bins {
            let version = 1 + u32::from(bin % 16 < touched);
            write!(out, r#""bins-{bin:04x}.json":{{"version":{version}}},"#).unwrap();
        }
        out.into_bytes()
    }

    #[test]
    fn a_delta_of_two_snapshots_is_a_few_percent_and_comes_out_exactly() {
        let (old, new) = (snapshot(16_384, 0), snapshot(16_384, 1));
        let delta = make(&old, &new).unwrap();
        assert!(
            delta.len() * 20 < new.len(),
            "{} of {}",
            delta.len(),
            new.len()
        );
        assert_eq!(apply(&old, &delta, new.len() as u64), Ok(new));
    }

    #[test]
    fn a_result_of_another_size_is_refused_without_being_held() {
        let (old, new) = (snapshot(64, 0), vec![b' '; 10_000_000]);
        let bomb = make(&old, &new).unwrap();
        assert!(bomb.len() < 2_000, "{}", bomb.len());
        assert!(matches!(
            apply(&old, &bomb, 1_000),
            Err(DeltaError::Zstd(_))
        ));
        let longer = apply(&old, &bomb, new.len() as u64 + 1);
        assert!(matches!(longer, Err(DeltaError::Length { .. })));
        assert!(apply(&old, &bomb, u64::MAX).is_err());
    }

    #[test]
    fn a_prefix_that_looks_like_a_dictionary_is_only_bytes() {
        let old = [&b"\x37\xA4\x30\xEC"[..], &snapshot(64, 0)].concat();
        let new = snapshot(64, 3);
        let delta = make(&old, &new).unwrap();
        assert_eq!(apply(&old, &delta, new.len() as u64), Ok(new));
    }

    proptest! {
        #[test]
        fn any_two_files_and_no_other_prefix(
            old in proptest::collection::vec(any::<u8>(), 0..4_000),
            new in proptest::collection::vec(any::<u8>(), 0..4_000),
        ) {
            let delta = make(&old, &new).unwrap();
            prop_assert_eq!(apply(&old, &delta, new.len() as u64), Ok(new));
        }

        #[test]
        fn any_bytes_are_an_answer_of_the_right_size_or_an_error(
            old in proptest::collection::vec(any::<u8>(), 0..400),
            delta in proptest::collection::vec(any::<u8>(), 0..400),
            length in 0_u64..10_000,
        ) {
            if let Ok(new) = apply(&old, &delta, length) {
                prop_assert_eq!(new.len() as u64, length);
            }
        }

        #[test]
        fn a_damaged_delta_never_takes_more_than_its_size(at in 0_usize..1_000, by in 1_u8..) {
            let (old, new) = (snapshot(64, 0), snapshot(64, 5));
            let mut delta = make(&old, &new).unwrap();
            let at = at % delta.len();
            delta[at] ^= by;
            if let Ok(out) = apply(&old, &delta, new.len() as u64) {
                prop_assert_eq!(out.len(), new.len());
            }
        }
    }
}
