//! What every fuzz target does with its bytes: one parser each, and what must hold of what it
//! accepts. A finding is a panic here. `tests/fuzz` runs these on bytes it makes up, the tests of
//! this package on the kept corpus.

mod oracle;
mod whole_update;

use std::io::Cursor;

use claims::{ClaimLimits, ProjectRole, Transaction, write_transaction};
use index::{DistributionFilename, IndexPath, PageLimits, ProjectName, SimplePage};
use locks::{Lock, LockKind};
use metadata::canonical::is_canonical;
use metadata::{
    Document, JsonFlaw, MetadataError, Root, Snapshot, Targets, Timestamp, Value, Wire,
};
use policy::Policy;

pub use whole_update::whole_update;

/// A target: takes any bytes, panics at a finding.
pub type Body = fn(&[u8]);

/// Every target by name.
pub const TARGETS: [(&str, Body); 9] = [
    ("metadata_roles", metadata_roles),
    ("canonical_json", canonical_json),
    ("simple_page", simple_page),
    ("distribution_filename", distribution_filename),
    ("policy_toml", policy_toml),
    ("lock_files", lock_files),
    ("transaction", transaction),
    ("whole_update", whole_update),
    ("broken_on_purpose", broken_on_purpose),
];

/// More signatures than this are refused; any small number serves.
const MAX_SIGNATURES: usize = 64;

/// Parses a metadata file as each of the four kinds of document. What is written of an accepted
/// document is canonical and reads back as the same document.
pub fn metadata_roles(data: &[u8]) {
    if let Ok(wire) = Wire::parse(data, MAX_SIGNATURES) {
        assert!(wire.signatures.len() <= MAX_SIGNATURES);
        assert!(is_canonical(&wire.canonical));
        reads_back::<Root>(wire.signed);
        reads_back::<Targets>(wire.signed);
        reads_back::<Snapshot>(wire.signed);
        reads_back::<Timestamp>(wire.signed);
    }
}

fn reads_back<R: Document + PartialEq + std::fmt::Debug>(signed: &[u8]) {
    let Ok(document) = R::parse(signed) else {
        return;
    };
    // Only the exact form of a date can be written; others are read to be refused by name.
    if !document.expires().is_exact_form() {
        return;
    }
    let canonical = document.to_canonical();
    assert!(is_canonical(&canonical));
    let file = Wire::write(&canonical, &[]);
    let wire = Wire::parse(&file, MAX_SIGNATURES).expect("a written file can be taken apart");
    assert_eq!(
        &*wire.canonical, canonical,
        "what is verified is what was signed"
    );
    let again = R::parse(wire.signed).expect("a written document can be parsed");
    assert_eq!(again, document);
}

/// Reads a lock file as each of the four kinds. No file has an empty name; requirements name none.
pub fn lock_files(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for kind in [
        LockKind::Uv,
        LockKind::Poetry,
        LockKind::Pylock,
        LockKind::Requirements,
    ] {
        let Ok(lock) = Lock::parse(kind, text) else {
            continue;
        };
        for file in lock.packages.iter().flat_map(|package| &package.files) {
            assert!(file.filename.as_deref() != Some(""), "an empty name");
            assert!(kind != LockKind::Requirements || file.filename.is_none());
        }
    }
}

/// The scan and the encoder agree on what is canonical.
pub fn canonical_json(data: &[u8]) {
    let parsed = Value::parse(data);
    if let Ok(value) = &parsed {
        assert!(is_canonical(&value.to_canonical()));
    }
    if is_canonical(data) {
        match parsed {
            Ok(value) => assert_eq!(value.to_canonical(), data),
            // Canonical strings hold control characters as they are, which JSON does not allow.
            Err(MetadataError::Json {
                why: JsonFlaw::Syntax(_),
                ..
            }) => {
                assert!(data.iter().any(|byte| *byte < 0x20));
            }
            Err(other) => panic!("canonical, but {other}"),
        }
    }
}

/// Reads a project page; the first line is the project's name. What is rendered of an accepted page
/// is canonical and reads back as the same page.
pub fn simple_page(data: &[u8]) {
    let limits = PageLimits::default();
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(name), Some(page)) = (parts.next(), parts.next()) else {
        return;
    };
    let Some(project) = std::str::from_utf8(name)
        .ok()
        .and_then(|n| ProjectName::parse(n).ok())
    else {
        return;
    };
    let Ok(page) = SimplePage::parse_json(page, &project, &limits) else {
        return;
    };
    assert_eq!(*page.project(), project);
    assert!(
        page.files()
            .iter()
            .all(|file| *file.filename.project() == project)
    );
    let rendered = page.render_json();
    assert!(is_canonical(&rendered));
    let again = SimplePage::parse_json(&rendered, &project, &limits);
    assert_eq!(again.expect("a rendered page can be read"), page);
}

/// Reads a file name. An accepted one is kept as it is and has a target path of its own, which
/// leads back to it.
pub fn distribution_filename(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(filename) = DistributionFilename::parse(text) else {
        return;
    };
    assert_eq!(filename.as_str(), text);
    let known = DistributionFilename::parse_for(text, filename.project());
    let known = known.expect("its own project takes it");
    assert_eq!(known.kind(), filename.kind());
    let path = index::file_path(&filename);
    assert_eq!(path.file_name(), text);
    let back = IndexPath::parse(&path).expect("a path that was made can be read");
    assert_eq!(back.project(), filename.project());
    assert_eq!(back.to_path(), path);
}

/// Reads a policy. An accepted one has thresholds that can be met and lifetimes that are some, and
/// one more line that nobody knows makes it another, which is refused.
pub fn policy_toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(policy) = Policy::parse(text) else {
        return;
    };
    for (role, of) in policy.roles.all() {
        assert!((1..=of.keys).contains(&of.threshold), "{role}");
        assert!(of.lifetime.num_seconds() > 0, "{role}");
    }
    let longer = format!("unknown-to-everybody = 1\n{text}");
    assert!(Policy::parse(&longer).is_err());
}

/// Opens the archive of a transaction. What is accepted is of one project, nothing in it is larger
/// than the whole, and it reads back from an archive of our own.
pub fn transaction(data: &[u8]) {
    let limits = ClaimLimits {
        role_bytes: 4_096,
        entries: 16,
        directory_bytes: 4_096,
        ..ClaimLimits::default()
    };
    let Ok(mut sent) = Transaction::open(Cursor::new(data), limits) else {
        return;
    };
    for (role, file) in sent.roles() {
        let role = ProjectRole::parse(role).expect("names of roles are checked");
        assert_eq!(role.project(), sent.project());
        assert!(file.len() as u64 <= limits.role_bytes);
    }
    let names: Vec<_> = sent.files().cloned().collect();
    let mut files = Vec::new();
    for name in names {
        let mut bytes = Vec::new();
        // What is stored under a wrong checksum is refused here, and by whoever verifies.
        if sent.copy(&name, &mut bytes).is_err() {
            return;
        }
        assert!(bytes.len() <= data.len());
        files.push((name, bytes));
    }
    let roles = sent.roles().iter().map(|(name, file)| (name, &**file));
    let entries = files.iter().map(|(name, bytes)| (name, &**bytes));
    let ours = write_transaction(Cursor::new(Vec::new()), roles, entries);
    let ours = ours.expect("what was read can be written").into_inner();
    let again = Transaction::open(Cursor::new(ours), limits);
    // Our archive has more of a directory: extra fields for large files.
    if let Ok(again) = again {
        assert_eq!(again.roles(), sent.roles());
        assert!(again.files().eq(sent.files()));
    }
}

/// Broken, so that a run can show that fuzzing finds what is broken: reads `TUF`, a length and so
/// many bytes, and takes the length at its word.
pub fn broken_on_purpose(data: &[u8]) {
    if let [b'T', b'U', b'F', length, rest @ ..] = data {
        let payload = &rest[..usize::from(*length)];
        assert!(payload.len() <= rest.len());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn corpus(target: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(target);
        fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect()
    }

    /// The names of what lies in a folder of `tests/fuzz`, without extensions.
    fn stems(folder: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz")
            .join(folder);
        let entries = fs::read_dir(folder).unwrap();
        let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
        entries.map(|entry| stem(entry.unwrap().path())).collect()
    }

    /// Otherwise a target would be fuzzed and its corpus replayed by nobody.
    #[test]
    fn every_target_has_a_body_and_a_corpus() {
        let bodies = TARGETS.map(|(target, _)| target.to_owned());
        let bodies = BTreeSet::from(bodies);
        assert_eq!(stems("fuzz_targets"), bodies);
        assert_eq!(stems("corpus"), bodies);
    }

    /// What was written by hand, and what fuzzing found to reach more.
    #[test]
    fn the_kept_corpus_has_no_finding() {
        for (target, body) in TARGETS {
            let kept = corpus(target);
            let name = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().into_owned();
            let found = kept.iter().filter(|file| name(file).starts_with("found_"));
            let found = found.count();
            assert!(found < kept.len(), "{target} has no seed");
            assert!(found > 0 || target == "broken_on_purpose", "{target}");
            for file in kept {
                let bytes = fs::read(&file).unwrap();
                let held = std::panic::catch_unwind(|| body(&bytes));
                assert!(held.is_ok(), "{} is a finding of {target}", file.display());
            }
        }
    }

    /// Otherwise the targets would only be fuzzed on what they refuse at once.
    #[test]
    fn the_kept_corpus_reaches_every_parser() {
        let any = |target: &str, accepts: &dyn Fn(&[u8]) -> bool| {
            let reached = corpus(target)
                .iter()
                .any(|file| accepts(&fs::read(file).unwrap()));
            assert!(reached, "{target}");
        };
        let signed = |data: &[u8]| Wire::parse(data, 64).map(|wire| wire.signed.to_vec());
        any("metadata_roles", &|data| {
            signed(data).is_ok_and(|s| Root::parse(&s).is_ok())
        });
        any("metadata_roles", &|data| {
            signed(data).is_ok_and(|s| Targets::parse(&s).is_ok())
        });
        any("metadata_roles", &|data| {
            signed(data).is_ok_and(|s| Snapshot::parse(&s).is_ok())
        });
        any("metadata_roles", &|data| {
            signed(data).is_ok_and(|s| Timestamp::parse(&s).is_ok())
        });
        any("canonical_json", &|data| is_canonical(data));
        for kind in [
            LockKind::Uv,
            LockKind::Poetry,
            LockKind::Pylock,
            LockKind::Requirements,
        ] {
            any("lock_files", &|data| {
                let lock = std::str::from_utf8(data).map(|text| Lock::parse(kind, text));
                matches!(lock, Ok(Ok(lock)) if !lock.packages.is_empty())
            });
        }
        any("simple_page", &|data| {
            let beta = ProjectName::parse("beta").unwrap();
            let page = data.strip_prefix(b"beta\n").unwrap_or_default();
            SimplePage::parse_json(page, &beta, &PageLimits::default()).is_ok()
        });
        let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
        any("distribution_filename", &|data| {
            DistributionFilename::parse(&text(data)).is_ok()
        });
        any("policy_toml", &|data| Policy::parse(&text(data)).is_ok());
        any("transaction", &|data| {
            let sent = Transaction::open(Cursor::new(data), ClaimLimits::default());
            sent.is_ok_and(|sent| sent.roles().len() + sent.files().count() == 4)
        });
    }

    #[test]
    fn the_planted_bug_is_there() {
        assert!(std::panic::catch_unwind(|| broken_on_purpose(b"TUF\x01")).is_err());
    }
}
