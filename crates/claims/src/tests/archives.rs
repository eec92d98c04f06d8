//! Archives made to exhaust or deceive whoever reads them.

use super::*;
use zip::CompressionMethod;

type Options = SimpleFileOptions;

/// An archive written entry by entry.
fn archive(fill: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    fill(&mut archive);
    archive.finish().unwrap().into_inner()
}

fn stored() -> Options {
    Options::default().compression_method(CompressionMethod::Stored)
}

#[track_caller]
fn refused_with(limits: ClaimLimits, code: &str, bytes: &[u8]) {
    let reason = Transaction::open(Cursor::new(bytes), limits).unwrap_err();
    assert_eq!(reason.code(), code, "{reason}");
}

#[track_caller]
fn refused(code: &str, bytes: &[u8]) {
    refused_with(ClaimLimits::default(), code, bytes);
}

const ROLE: &str = "metadata/project-alpha.json";
const FILE: &str = "targets/alpha-1.0.zip";

#[test]
fn what_is_sound_is_read() {
    let bytes = archive(|archive| {
        archive.add_directory("metadata/", stored()).unwrap();
        archive.start_file(ROLE, stored()).unwrap();
        archive.write_all(b"{}").unwrap();
        archive.start_file(FILE, stored()).unwrap();
    });
    let transaction = Transaction::open(Cursor::new(&*bytes), ClaimLimits::default()).unwrap();
    assert_eq!(transaction.project(), &alpha());
    assert_eq!(transaction.roles()[&role("")], b"{}");
    assert_eq!(transaction.files().count(), 1);
}

#[test]
fn names_that_leave_the_folder_or_mean_nothing() {
    for name in [
        "/metadata/project-alpha.json",
        "/etc/passwd",
        "../metadata/project-alpha.json",
        "metadata/../targets/x",
        "targets/../../alpha-1.0.zip",
        "targets//alpha-1.0.zip",
        "targets/sub/alpha-1.0.zip",
        "targets\\alpha-1.0.zip",
        "targets/alpha-1.0.exe",
        "targets/alpha-1.0.zip.metadata.metadata",
        "metadata/project-alpha",
        "metadata/root.json",
        "README",
        "C:alpha-1.0.zip",
        "targets/\u{e4}lpha-1.0.zip",
        "",
    ] {
        refused("entry-name", &zip_of(&[(ROLE, b"{}"), (name, b"")]));
    }
    for name in [
        "metadata/bins-00.json",
        "metadata/claimed.json",
        "metadata/project-A.json",
    ] {
        refused("role-name", &zip_of(&[(name, b"{}")]));
    }
}

#[test]
fn other_projects_beside_the_first() {
    refused(
        "other-project",
        &zip_of(&[(ROLE, b"{}"), ("metadata/project-beta.json", b"{}")]),
    );
    refused(
        "other-project",
        &zip_of(&[(ROLE, b"{}"), ("targets/beta-1.0.zip", b"")]),
    );
    refused("no-role", &zip_of(&[(FILE, b"")]));
    refused("no-role", &zip_of(&[]));
}

#[test]
fn two_entries_of_one_name() {
    // The writer refuses it, so the second is renamed afterwards, in both of its places.
    let mut bytes = zip_of(&[
        (ROLE, b"{}"),
        (FILE, b"one"),
        ("targets/alpha-1.1.zip", b"two"),
    ]);
    let other = b"targets/alpha-1.1.zip";
    while let Some(at) = bytes.windows(other.len()).position(|part| part == other) {
        bytes[at..at + other.len()].copy_from_slice(FILE.as_bytes());
    }
    refused("entry-twice", &bytes);
    let two_spellings = [
        (ROLE, &b"{}"[..]),
        (FILE, b""),
        ("targets/Alpha-1.0.zip", b""),
    ];
    refused("entry-twice", &zip_of(&two_spellings));
}

/// A zip bomb needs something to unpack.
#[test]
fn bombs() {
    let bomb = archive(|archive| {
        archive.start_file(ROLE, stored()).unwrap();
        archive.write_all(b"{}").unwrap();
        let packed = Options::default().compression_method(CompressionMethod::Deflated);
        archive.start_file(FILE, packed).unwrap();
        for _ in 0..64 {
            archive.write_all(&vec![0; 1 << 20]).unwrap();
        }
    });
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    refused("entry-compressed", &bomb);
    // An entry that claims to be larger than it is stored.
    let honest = zip_of(&[(ROLE, b"{}")]);
    let mut lying = honest.clone();
    let at = lying
        .windows(4)
        .position(|part| part == b"PK\x01\x02")
        .unwrap();
    lying[at + 24..at + 28].copy_from_slice(&[0, 0, 0, 0x40]);
    refused("entry-compressed", &lying);
    let named_many: Vec<String> = (0..1_001)
        .map(|n| format!("targets/alpha-{n}.zip"))
        .collect();
    let many: Vec<(&str, &[u8])> = named_many.iter().map(|name| (&**name, &b""[..])).collect();
    refused("archive-too-large", &zip_of(&many));
    let limits = ClaimLimits {
        directory_bytes: 40,
        ..ClaimLimits::default()
    };
    refused_with(
        limits,
        "archive-too-large",
        &zip_of(&[(ROLE, b"{}"), (FILE, b"")]),
    );
    // The same bytes for two entries.
    let mut overlapping = zip_of(&[
        (ROLE, b"{}"),
        (FILE, b"one"),
        ("targets/alpha-1.1.zip", b"two"),
    ]);
    let entries: Vec<usize> = (0..overlapping.len() - 4)
        .filter(|at| &overlapping[*at..at + 4] == b"PK\x01\x02")
        .collect();
    let first: [u8; 4] = overlapping[entries[1] + 42..entries[1] + 46]
        .try_into()
        .unwrap();
    overlapping[entries[2] + 42..entries[2] + 46].copy_from_slice(&first);
    refused("archive", &overlapping);
}

#[test]
fn sizes() {
    let limits = ClaimLimits {
        role_bytes: 1,
        ..ClaimLimits::default()
    };
    refused_with(limits, "entry-too-large", &zip_of(&[(ROLE, b"{}")]));
    let limits = ClaimLimits {
        file_bytes: 2,
        ..ClaimLimits::default()
    };
    refused_with(
        limits,
        "entry-too-large",
        &zip_of(&[(ROLE, b"{}"), (FILE, b"abc")]),
    );
}

#[test]
fn links_and_devices() {
    let link = archive(|archive| {
        archive.start_file(ROLE, stored()).unwrap();
        archive.write_all(b"{}").unwrap();
        archive.add_symlink(FILE, "/etc/passwd", stored()).unwrap();
    });
    refused("entry-kind", &link);
    // The mode of a device, which the writer would not write, set afterwards.
    let mut device = zip_of(&[(ROLE, b"{}")]);
    let at = device
        .windows(4)
        .position(|part| part == b"PK\x01\x02")
        .unwrap();
    device[at + 40..at + 42].copy_from_slice(&0o020_600_u16.to_le_bytes());
    refused("entry-kind", &device);
}

#[test]
fn metadata_sent_beside_a_wheel_are_those_inside() {
    let stage = Stage::claimed();
    let draft = Stage::release();
    let wheel = &draft.dists[0];
    let sent = |name: &str, bytes: &[u8]| {
        let role_file = signed(&draft.roles[&role("alice")].0, &[&stage.keys["alice"]]);
        let (role_name, wheel_name, sdist_name) = (
            format!("metadata/{}.json", role("alice")),
            format!("targets/{}", wheel.name),
            format!("targets/{}", draft.dists[1].name),
        );
        let entries: [(&str, &[u8]); 4] = [
            (&role_name, &role_file),
            (&wheel_name, &wheel.bytes),
            (&sdist_name, &draft.dists[1].bytes),
            (name, bytes),
        ];
        stage.verify_bytes(&zip_of(&entries))
    };
    let name = format!("targets/{}.metadata", wheel.name);
    sent(&name, wheel.core_metadata.as_ref().unwrap()).unwrap();
    assert_eq!(
        sent(&name, b"other").unwrap_err().code(),
        "metadata-differs"
    );
    let stray = sent("targets/alpha-3.0.zip.metadata", b"").unwrap_err();
    assert_eq!(stray.code(), "file-unlisted");
}
