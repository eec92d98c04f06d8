//! One flaw each, in the files and in what the roles say of them.

use super::flaws::{main_refused, refused, with};
use super::*;
use crate::{WITHDRAWN, withdrawn_value};
use metadata::Value;

/// Without the entries that end in `drop`.
fn without(document: &Targets, drop: &str) -> Targets {
    let kept = document
        .targets()
        .iter()
        .filter(|(path, _)| !path.as_str().ends_with(drop));
    document.clone().with_targets(kept.cloned())
}

/// Check C-27.
#[test]
fn files_that_do_not_fit() {
    refused("file-missing", |_, draft| draft.dists.truncate(1));
    refused("file-differs", |_, draft| {
        let other = Dist::sdist("2.0");
        let mut bytes = other.bytes;
        // The comment of the archive: still sound.
        bytes.extend_from_slice(b"");
        let end = bytes.len() - 2;
        bytes[end] = 1;
        bytes.push(b'x');
        draft.dists[1].bytes = bytes;
    });
    refused("file-unlisted", |_, draft| {
        draft.dists.push(Dist::sdist("3.0"));
    });
    refused("distribution", |_, draft| {
        let sdist = draft.dists[1].clone();
        let lying = Dist {
            name: named("alpha-4.0.zip"),
            ..sdist
        };
        let alice = draft.document("alice");
        let (path, file) = lying.entries().remove(0);
        *alice = with(alice, path.as_str(), file);
        draft.dists.push(lying);
    });
    refused("metadata-missing", |_, draft| {
        let alice = draft.document("alice");
        *alice = without(alice, ".metadata");
    });
    refused("metadata-differs", |_, draft| {
        let alice = draft.document("alice");
        let evil = b"Metadata-Version: 2.1\nName: alpha\nVersion: 2.0\nRequires-Dist: evil\n";
        let path = metadata_path(&named("alpha-2.0-py3-none-any.whl")).to_string();
        *alice = with(
            alice,
            &path,
            TargetFile::new(evil.len() as u64, Sha256::of(evil)),
        );
    });
}

/// Check C-28, and the first transaction of a project.
#[test]
fn what_was_published_does_not_vanish_or_change() {
    main_refused("files-dropped", |_, main| {
        *main = without(main, "alpha-1.0.zip");
    });
    main_refused("file-changed", |_, main| {
        let path = file_path(&named("alpha-1.0.zip")).to_string();
        *main = with(main, &path, TargetFile::new(1, Sha256::of(b"x")));
    });
    let stage = Stage::unclaimed();
    let mut first = stage.first();
    let main = first.document("");
    *main = without(main, "alpha-1.0.zip");
    let reason = stage.verify(&first).unwrap_err();
    let Reason::FilesDropped { files } = &reason else {
        panic!("{reason:?}")
    };
    assert_eq!(*files, [named("alpha-1.0.zip")]);
    let gone = BTreeSet::from([named("alpha-1.0.zip")]);
    let member = (WITHDRAWN.to_owned(), withdrawn_value(&gone));
    first.document("").extra.extend([member]);
    stage.verify(&first).unwrap();
}

#[test]
fn lists_of_files_given_up_that_do_not_hold() {
    for (value, says) in [
        (r#"["alpha-1.0.zip"]"#, "still listed"),
        (r#"["alpha-7.0.zip"]"#, "not there"),
        (r#"["beta-1.0.zip"]"#, "alpha"),
        (r#"["alpha-7.0.zip","alpha-7.0.zip"]"#, "twice"),
        ("[1]", "no text"),
        ("1", "no list"),
    ] {
        let stage = Stage::claimed();
        let mut draft = Stage::release();
        let value = Value::parse(value.as_bytes()).unwrap();
        draft
            .document("alice")
            .extra
            .insert(WITHDRAWN.to_owned(), value);
        let reason = stage.verify(&draft).unwrap_err();
        assert_eq!(reason.code(), "withdrawal");
        assert!(reason.to_string().contains(says), "{reason}");
    }
}
