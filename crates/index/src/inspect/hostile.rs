//! Archives made to exhaust or deceive the reader.

use super::tests::{METADATA, WHEEL, gz, inspect_with, inspected, tar_gz_of, wheel_of, zip_of};
use super::*;
use proptest::prelude::*;

fn replace_all(bytes: &mut [u8], from: &[u8], to: &[u8], times: usize) {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..=bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from))
        .collect();
    for at in places.into_iter().take(times) {
        bytes[at..at + from.len()].copy_from_slice(to);
    }
}

/// Two readers would install different files from these.
#[test]
fn refuses_archives_that_readers_see_differently() {
    let (name, other) = (
        "foo_bar-1.0.dist-info/METADATA",
        "foo_bar-1.0.dist-info/METADATB",
    );
    let both = zip_of(&[(name, METADATA.as_bytes()), (other, b"Name: evil\n")]);
    assert!(inspected(WHEEL, &both).is_ok());
    let mut duplicate = both.clone();
    replace_all(&mut duplicate, other.as_bytes(), name.as_bytes(), 2);
    assert!(matches!(
        inspected(WHEEL, &duplicate),
        Err(InspectError::BrokenZip { .. })
    ));
    // Only the local header (the first of two places) renamed.
    let mut cloaked = both;
    replace_all(&mut cloaked, other.as_bytes(), name.as_bytes(), 1);
    assert!(matches!(
        inspected(WHEEL, &cloaked),
        Err(InspectError::BrokenZip { .. })
    ));
}

#[track_caller]
fn assert_too_large(found: &Result<Inspected, InspectError>, expected: Part) {
    match found {
        Err(InspectError::TooLarge { part, .. }) => assert_eq!(*part, expected),
        other => panic!("{other:?}"),
    }
}

/// The default limits with one changed.
fn limited(change: impl FnOnce(&mut InspectLimits)) -> InspectLimits {
    let mut limits = InspectLimits::default();
    change(&mut limits);
    limits
}

#[test]
fn limits_hold_for_wheels() {
    let long = format!("{METADATA}{}", "x".repeat(100_000));
    let wheel = wheel_of("foo_bar-1.0.dist-info", &long);
    assert!(wheel.len() < 2_000);
    let size = long.len() as u64;
    let with = |limits| inspect_with(WHEEL, &wheel, &limits);
    assert!(with(limited(|l| l.metadata_bytes = size)).is_ok());
    assert_too_large(
        &with(limited(|l| l.metadata_bytes = size - 1)),
        Part::Metadata,
    );
    assert!(with(limited(|l| l.entries = 3)).is_ok());
    assert_too_large(&with(limited(|l| l.entries = 2)), Part::Entries);
    assert_too_large(&with(limited(|l| l.directory_bytes = 60)), Part::Directory);
}

#[test]
fn limits_hold_for_tar_archives() {
    let tar = tar_gz_of(&[
        ("a/b", &vec![0; 100_000]),
        ("a/PKG-INFO", METADATA.as_bytes()),
    ]);
    let with = |limits| inspect_with("foo-bar-1.0.tar.gz", &tar, &limits);
    assert!(with(InspectLimits::default()).is_ok());
    // Within the first entry, and exactly at its end: 512 bytes of header, 196 blocks.
    for unpacked in [90_000, 512 + 196 * 512] {
        assert_too_large(
            &with(limited(|l| l.unpacked_bytes = unpacked)),
            Part::Unpacked,
        );
    }
    assert_too_large(&with(limited(|l| l.entries = 1)), Part::Entries);
    assert_too_large(&with(limited(|l| l.metadata_bytes = 10)), Part::Metadata);
}

/// An entry that only names the next one is not held whole, however large it is.
#[test]
fn a_bomb_in_a_long_name() {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_path("././@LongLink").unwrap();
    header.set_size(50_000_000);
    header.set_cksum();
    let mut out = tar::Builder::new(Vec::new());
    out.append(&header, std::io::repeat(b'a').take(50_000_000))
        .unwrap();
    let bomb = gz(&out.into_inner().unwrap());
    assert!(bomb.len() < 1_000_000);
    assert_too_large(&inspected("foo-bar-1.0.tar.gz", &bomb), Part::EntryName);
}

/// A central directory that claims to be larger than the file reserves no memory.
#[test]
fn a_claimed_directory_is_not_believed() {
    let mut wheel = wheel_of("foo_bar-1.0.dist-info", METADATA);
    let end = wheel.len() - 22;
    assert_eq!(wheel[end..end + 4], *b"PK\x05\x06");
    wheel[end + 8..end + 12].copy_from_slice(&[0xff, 0xfe, 0xff, 0xfe]);
    wheel[end + 12..end + 16].copy_from_slice(&[0xff, 0xff, 0xff, 0xf0]);
    assert!(matches!(
        inspected(WHEEL, &wheel),
        Err(InspectError::BrokenZip { .. })
    ));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(inspected(WHEEL, &bytes).is_err());
        prop_assert!(inspected("foo-bar-1.0.tar.gz", &bytes).is_err());
        prop_assert!(inspected("foo-bar-1.0.tar.gz", &gz(&bytes)).is_err());
    }

    /// A sound archive with some bytes overwritten: refused, or still about the same distribution.
    #[test]
    fn damaged_archives_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_wheel in any::<bool>(),
    ) {
        let (filename, mut bytes) = if is_wheel {
            (WHEEL, wheel_of("foo_bar-1.0.dist-info", METADATA))
        } else {
            ("foo-bar-1.0.tar.gz", tar_gz_of(&[("foo-bar-1.0/PKG-INFO", METADATA.as_bytes())]))
        };
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(found) = inspected(filename, &bytes) {
            prop_assert_eq!(found.version, Version440::parse("1.0").unwrap());
        }
    }
}
