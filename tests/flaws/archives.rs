//! Archives that exhaust, deceive or mislead whoever unpacks them.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::stage::{Flaw, Stage, stored, zip_of};

/// The release without a flaw, and one more entry.
fn with(stage: &Stage, name: &str, bytes: &[u8]) -> Vec<u8> {
    let entries = stage.release().entries();
    let mut entries: Vec<_> = entries
        .iter()
        .map(|(name, bytes)| (&**name, &**bytes))
        .collect();
    entries.push((name, bytes));
    zip_of(&entries)
}

/// The same, added by hand.
fn filled(stage: &Stage, add: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in stage.release().entries() {
        archive.start_file(name, stored()).unwrap();
        archive.write_all(&bytes).unwrap();
    }
    add(&mut archive);
    archive.finish().unwrap().into_inner()
}

/// Where the entries of the central directory begin: not those of the archives inside.
fn central(bytes: &[u8]) -> Vec<usize> {
    // The record at the end, without a comment, says where the directory begins.
    let at = bytes.len() - 6;
    let start = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let is_entry = |at: &usize| bytes[*at..].starts_with(b"PK\x01\x02");
    (start..bytes.len()).filter(is_entry).collect()
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    while let Some(at) = bytes
        .windows(from.len())
        .position(|part| part == from.as_bytes())
    {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

pub(crate) fn flaws(stage: &Stage) -> Vec<Flaw> {
    let good = stage.release().archive();
    let mut flaws = vec![
        Flaw::new("archive", "no archive", b"PK and nothing of one".to_vec()),
        Flaw::new("archive", "a torn archive", good[..good.len() / 2].to_vec()),
        Flaw::new(
            "no-role",
            "no role",
            zip_of(&[("targets/alpha-2.0.zip", b"")]),
        ),
        Flaw::new(
            "entry-kind",
            "a symlink",
            filled(stage, |archive| {
                let (name, to) = ("targets/alpha-2.1.zip", "../../../state.sqlite");
                archive.add_symlink(name, to, stored()).unwrap();
            }),
        ),
        Flaw::new(
            "entry-compressed",
            "a bomb",
            filled(stage, |archive| {
                let packed =
                    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
                archive.start_file("targets/alpha-2.1.zip", packed).unwrap();
                for _ in 0..64 {
                    archive.write_all(&vec![0; 1 << 20]).unwrap();
                }
            }),
        ),
    ];
    flaws.extend(names(stage));
    flaws.extend(directories(stage, &good));
    flaws
}

fn names(stage: &Stage) -> Vec<Flaw> {
    let names = [
        ("entry-name", "/etc/passwd"),
        ("entry-name", "/metadata/project-alpha.json"),
        ("entry-name", "../state.sqlite"),
        ("entry-name", "targets/../../state.sqlite"),
        ("entry-name", "targets/sub/alpha-2.1.zip"),
        ("entry-name", "targets\\alpha-2.1.zip"),
        ("entry-name", "metadata/timestamp.json"),
        ("entry-name", "README"),
        ("role-name", "metadata/recently-claimed.json"),
        ("role-name", "metadata/bins-00.json"),
        ("other-project", "metadata/project-beta.json"),
        ("other-project", "targets/beta-1.0.zip"),
        ("entry-twice", "targets/Alpha-2.0.zip"),
        ("file-unlisted", "targets/alpha-2.1.zip.metadata"),
    ];
    let flaw = |(number, (code, name)): (usize, (&'static str, &str))| {
        let what = format!("entry {number} named {}", name.replace(['.', '\\'], "_"));
        Flaw::new(code, what, with(stage, name, b"{}"))
    };
    names.into_iter().enumerate().map(flaw).collect()
}

/// Directories that do not say what is there.
fn directories(stage: &Stage, good: &[u8]) -> Vec<Flaw> {
    let twice = with(stage, "targets/alpha-9.9.zip", b"two");
    let twice = replaced(&twice, "targets/alpha-9.9.zip", "targets/alpha-2.0.zip");
    let mut lying = good.to_vec();
    let at = central(&lying)[0];
    lying[at + 24..at + 28].copy_from_slice(&[0, 0, 0, 0x40]);
    let mut device = good.to_vec();
    device[at + 40..at + 42].copy_from_slice(&0o020_600_u16.to_le_bytes());
    let mut overlapping = with(stage, "targets/alpha-2.1.zip", b"two");
    let entries = central(&overlapping);
    let (from, to) = (entries[entries.len() - 2], entries[entries.len() - 1]);
    overlapping.copy_within(from + 42..from + 46, to + 42);
    let many: Vec<String> = (0..1_001)
        .map(|n| format!("targets/alpha-{n}.zip"))
        .collect();
    let many: Vec<_> = many.iter().map(|name| (&**name, &b""[..])).collect();
    vec![
        Flaw::new("entry-twice", "two entries of one name", twice),
        Flaw::new("entry-compressed", "an entry larger than it is", lying),
        Flaw::new("entry-kind", "a device", device),
        Flaw::new("archive", "the same bytes for two entries", overlapping),
        Flaw::new("archive-too-large", "too many entries", zip_of(&many)),
    ]
}
