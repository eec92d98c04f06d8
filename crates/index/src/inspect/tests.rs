//! Archives made here, sound and unsound, and what is said about them.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub(super) const METADATA: &str = "Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.0.0\n\
                        Requires-Python: >=3.8\n\nText: no field\n";

pub(super) fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for (at, (name, bytes)) in entries.iter().enumerate() {
        let methods = [CompressionMethod::Stored, CompressionMethod::Deflated];
        let options = SimpleFileOptions::default().compression_method(methods[at % 2]);
        out.start_file(*name, options).unwrap();
        out.write_all(bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

pub(super) fn wheel_of(folder: &str, metadata: &str) -> Vec<u8> {
    zip_of(&[
        ("foo_bar/__init__.py", b"raise SystemExit"),
        (&format!("{folder}/METADATA"), metadata.as_bytes()),
        (&format!("{folder}/RECORD"), b""),
    ])
}

pub(super) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(super) fn tar_gz_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, name, *bytes).unwrap();
    }
    gz(&out.into_inner().unwrap())
}

pub(super) fn inspect_with(
    filename: &str,
    bytes: &[u8],
    limits: &InspectLimits,
) -> Result<Inspected, InspectError> {
    let filename = DistributionFilename::parse(filename).unwrap();
    inspect(&filename, Cursor::new(bytes), limits)
}

pub(super) fn inspected(filename: &str, bytes: &[u8]) -> Result<Inspected, InspectError> {
    inspect_with(filename, bytes, &InspectLimits::default())
}

pub(super) const WHEEL: &str = "foo_bar-1.0-py3-none-any.whl";

#[test]
fn a_wheel_gives_its_metadata_byte_for_byte() {
    for folder in ["foo_bar-1.0.dist-info", "Foo.Bar-1.0.0.dist-info"] {
        let found = inspected(WHEEL, &wheel_of(folder, METADATA)).unwrap();
        assert_eq!(found.core_metadata.as_deref(), Some(METADATA.as_bytes()));
        assert_eq!(found.name, "Foo_Bar");
        assert_eq!(found.version.as_str(), "1.0.0");
        assert_eq!(found.requires_python.as_deref(), Some(">=3.8"));
        assert_eq!(found.metadata_version, "2.1");
    }
}

#[test]
fn source_distributions_of_both_kinds() {
    let entries: [(&str, &[u8]); 3] = [
        ("foo-bar-1.0/setup.py", b"raise SystemExit"),
        ("foo-bar-1.0/foo_bar.egg-info/PKG-INFO", b"Name: other\n"),
        ("foo-bar-1.0/PKG-INFO", METADATA.as_bytes()),
    ];
    for (filename, bytes) in [
        ("foo-bar-1.0.tar.gz", tar_gz_of(&entries)),
        ("foo-bar-1.0.zip", zip_of(&entries)),
    ] {
        let found = inspected(filename, &bytes).unwrap();
        assert_eq!(
            (found.core_metadata, found.name.as_str()),
            (None, "Foo_Bar")
        );
    }
}

#[test]
fn long_names_in_tar_archives() {
    let name = format!("foo-bar-1.0+{}", "a".repeat(110));
    let metadata = METADATA.replace("1.0.0", &name["foo-bar-".len()..]);
    let path = format!("{name}/PKG-INFO");
    let gnu = tar_gz_of(&[(&path, metadata.as_bytes())]);
    assert!(inspected(&format!("{name}.tar.gz"), &gnu).is_ok());

    let mut pax = tar::Builder::new(Vec::new());
    pax.append_pax_extensions([("mtime", b"1.5".as_slice()), ("path", path.as_bytes())])
        .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("short").unwrap();
    header.set_size(metadata.len() as u64);
    header.set_cksum();
    pax.append(&header, metadata.as_bytes()).unwrap();
    let pax = gz(&pax.into_inner().unwrap());
    assert!(inspected(&format!("{name}.tar.gz"), &pax).is_ok());
}

#[test]
fn metadata_has_to_fit_the_name() {
    let folder = "foo_bar-1.0.dist-info";
    let named =
        |from: &str, to: &str| inspected(WHEEL, &wheel_of(folder, &METADATA.replace(from, to)));
    assert!(matches!(
        named("Foo_Bar", "foobar"),
        Err(InspectError::NameMismatch { .. })
    ));
    assert!(matches!(
        named("Foo_Bar", "-"),
        Err(InspectError::NameMismatch { .. })
    ));
    assert!(matches!(
        named("1.0.0", "1.0.1"),
        Err(InspectError::VersionMismatch { .. })
    ));
    assert!(matches!(
        named("Name", "Nam"),
        Err(InspectError::Headers { .. })
    ));
    for folder in ["bar-1.0.dist-info", "foo_bar-1.1.dist-info", ".dist-info"] {
        let found = inspected(WHEEL, &wheel_of(folder, METADATA));
        assert!(
            matches!(found, Err(InspectError::NameMismatch { .. })),
            "{folder}"
        );
    }
}

#[test]
fn metadata_has_to_be_there_once() {
    let nested = wheel_of("x/foo_bar-1.0.dist-info", METADATA);
    assert!(matches!(
        inspected(WHEEL, &nested),
        Err(InspectError::NoMetadata { .. })
    ));
    let bare = zip_of(&[("foo_bar-1.0.dist-info/RECORD", b"")]);
    assert!(matches!(
        inspected(WHEEL, &bare),
        Err(InspectError::NoMetadata { .. })
    ));
    let two = zip_of(&[
        ("foo_bar-1.0.dist-info/METADATA", METADATA.as_bytes()),
        ("Foo_bar-1.0.dist-info/METADATA", METADATA.as_bytes()),
    ]);
    assert!(matches!(
        inspected(WHEEL, &two),
        Err(InspectError::Ambiguous { .. })
    ));
    let two = zip_of(&[
        ("a/PKG-INFO", METADATA.as_bytes()),
        ("b/PKG-INFO", METADATA.as_bytes()),
    ]);
    assert!(matches!(
        inspected("foo-bar-1.0.zip", &two),
        Err(InspectError::Ambiguous { .. })
    ));
    let none = tar_gz_of(&[("foo/bar/PKG-INFO", METADATA.as_bytes())]);
    let found = inspected("foo-bar-1.0.tar.gz", &none);
    assert!(matches!(found, Err(InspectError::NoMetadata { .. })));
}

#[test]
fn refuses_what_is_no_archive() {
    for bytes in [b"".as_slice(), b"PK\x05\x06", b"<html>", &[0; 600]] {
        assert!(matches!(
            inspected(WHEEL, bytes),
            Err(InspectError::BrokenZip { .. })
        ));
        let tar = inspected("foo-bar-1.0.tar.gz", bytes);
        assert!(
            matches!(tar, Err(InspectError::BrokenTar { .. })),
            "{tar:?}"
        );
    }
    let wheel = wheel_of("foo_bar-1.0.dist-info", METADATA);
    assert!(inspected(WHEEL, &wheel[..wheel.len() / 2]).is_err());
    let tar = tar_gz_of(&[("a/b", &[7; 5000]), ("a/PKG-INFO", METADATA.as_bytes())]);
    let cut = inspected("foo-bar-1.0.tar.gz", &tar[..tar.len() / 4]);
    assert!(
        matches!(cut, Err(InspectError::BrokenTar { .. })),
        "{cut:?}"
    );
}
