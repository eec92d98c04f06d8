//! Distributions that are not what they, or the roles, say.

use claims::{WITHDRAWN, withdrawn_value};
use index::metadata_path;
use metadata::{Sha256, TargetFile, Targets, Value};

use crate::stage::{Dist, Draft, Flaw, Stage, named};

fn bent(
    stage: &Stage,
    code: &'static str,
    what: &str,
    change: impl FnOnce(&mut Draft<'_>),
) -> Flaw {
    let mut draft = stage.release();
    change(&mut draft);
    Flaw::new(code, what, draft.archive())
}

/// Without the entries that end in `drop`.
fn without(document: &Targets, drop: &str) -> Targets {
    let targets = document.targets().iter();
    let kept = targets.filter(|(path, _)| !path.as_str().ends_with(drop));
    document.clone().with_targets(kept.cloned())
}

fn extended(document: &Targets, entries: Vec<(metadata::TargetPath, TargetFile)>) -> Targets {
    let all = document.targets().iter().cloned().chain(entries);
    document.clone().with_targets(all)
}

pub(crate) fn flaws(stage: &Stage) -> Vec<Flaw> {
    let mut flaws = vec![
        bent(stage, "file-missing", "a file that was not sent", |draft| {
            draft.dists.truncate(1);
        }),
        bent(stage, "file-differs", "other bytes than signed", |draft| {
            let bytes = &mut draft.dists[1].bytes;
            // The comment of the archive, which stays sound.
            let end = bytes.len() - 2;
            bytes[end] = 1;
            bytes.push(b'x');
        }),
        bent(stage, "file-unlisted", "a file nobody signed", |draft| {
            draft.dists.push(Dist::sdist("3.0"));
        }),
        bent(
            stage,
            "distribution",
            "a file under another name",
            |draft| {
                let lying = Dist {
                    name: named("alpha-4.0.zip"),
                    ..draft.dists[1].clone()
                };
                let alice = draft.document("alice");
                *alice = extended(alice, lying.entries());
                draft.dists.push(lying);
            },
        ),
        bent(
            stage,
            "metadata-missing",
            "a wheel without its metadata",
            |draft| {
                let alice = draft.document("alice");
                *alice = without(alice, ".metadata");
            },
        ),
        bent(
            stage,
            "metadata-differs",
            "metadata that ask for more",
            |draft| {
                let alice = draft.document("alice");
                let evil =
                    b"Metadata-Version: 2.1\nName: alpha\nVersion: 2.0\nRequires-Dist: evil\n";
                let path = metadata_path(&named("alpha-2.0-py3-none-any.whl"));
                let file = TargetFile::new(evil.len() as u64, Sha256::of(evil));
                *alice = extended(&without(alice, ".metadata"), vec![(path, file)]);
            },
        ),
        bent(stage, "file-reused", "a file given up before", |draft| {
            let again = Dist::sdist("0.9");
            let alice = draft.document("alice");
            *alice = extended(alice, again.entries());
            draft.dists.push(again);
        }),
        bent(stage, "name-taken", "a name with other bytes", |draft| {
            let mut other = Dist::sdist("0.8");
            let end = other.bytes.len() - 2;
            other.bytes[end] = 1;
            other.bytes.push(b'x');
            let alice = draft.document("alice");
            *alice = extended(alice, other.entries());
            draft.dists.push(other);
        }),
    ];
    flaws.extend(what_vanishes(stage));
    flaws
}

/// What was published may not vanish or change.
fn what_vanishes(stage: &Stage) -> Vec<Flaw> {
    let own = |code, what: &str, change: &dyn Fn(&mut Targets)| {
        let mut draft = stage.next_own();
        change(draft.document(""));
        Flaw::new(code, what, draft.archive())
    };
    let gone = [named("alpha-1.0.zip")].into();
    vec![
        own("files-dropped", "a file that vanishes", &|own| {
            *own = without(own, "alpha-1.0.zip");
        }),
        own("file-changed", "a file that changes", &|own| {
            let path = Dist::sdist("1.0").entries().remove(0).0;
            let other = TargetFile::new(1, Sha256::of(b"x"));
            *own = extended(&without(own, "alpha-1.0.zip"), vec![(path, other)]);
        }),
        own("withdrawal", "a file given up and still listed", &|own| {
            let member = (WITHDRAWN.to_owned(), withdrawn_value(&gone));
            own.extra.extend([member]);
        }),
        own("withdrawal", "a list that is none", &|own| {
            let member = (WITHDRAWN.to_owned(), Value::Integer(1));
            own.extra.extend([member]);
        }),
        unregistered(stage),
    ]
}

/// The honest archive of a project that nobody has claimed.
fn unregistered(stage: &Stage) -> Flaw {
    let role = stage.signed(&stage.document(1, &[]), &["alice"]);
    let archive = crate::stage::zip_of(&[("metadata/project-beta.json", &role)]);
    Flaw::new("unregistered", "a project nobody claimed", archive)
}
