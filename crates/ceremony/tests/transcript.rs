//! Holders on copies of their own, merged in every order, and everything somebody could do to the
//! record afterwards.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use common::{Keys, copy_folder as copy, flaw, is_empty, now, planned, signed};
use countersign_ceremony::{CeremonyError, Event, EventFlaw, Step};
use keys::Signer;

/// A planned event and three copies, each reviewed and signed by one holder on their own.
fn three_copies(base: &tempfile::TempDir) -> (Keys, PathBuf, [PathBuf; 3]) {
    let (keys, event) = planned(base);
    let copies = ["Ada", "Bo", "Cleo"].map(|name| {
        let path = base.path().join(name);
        copy(&event, &path);
        Event::open(&path)
            .unwrap()
            .record_review(name, now())
            .unwrap();
        path
    });
    let later = now() + TimeDelta::minutes(5);
    for (path, signers) in [
        (&copies[0], vec![&keys.root[0], &keys.targets]),
        (&copies[1], vec![&keys.bins]),
        (&copies[2], vec![&keys.root[2]]),
    ] {
        for key in signers {
            Event::open(path).unwrap().sign(key, later).unwrap();
        }
    }
    (keys, event, copies)
}

const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

#[test]
fn all_six_orders_give_the_same_verdict() {
    let base = tempfile::tempdir().unwrap();
    let (_, event, copies) = three_copies(&base);
    let later = now() + TimeDelta::minutes(10);
    let mut verdicts = Vec::new();
    for (number, order) in ORDERS.iter().enumerate() {
        let path = base.path().join(format!("merged-{number}"));
        copy(&event, &path);
        for at in order {
            let new = Event::open(&path).unwrap().merge(&[&copies[*at]], later);
            assert!(new.unwrap() > 0);
        }
        let merged = Event::open(&path).unwrap();
        merged.combine(later).unwrap();
        let verdict = merged.verify().unwrap();
        assert_eq!(verdict.transcript.heads().len(), 1);
        let files = verdict.files.iter();
        let files: Vec<_> = files
            .map(|file| (file.file_name(), file.sha256()))
            .collect();
        let steps = verdict.transcript.entries();
        let count = |step: Step| steps.iter().filter(|one| one.step == step).count();
        let counts = [Step::Planned, Step::Reviewed, Step::Signed, Step::Merged].map(count);
        assert_eq!(counts, [1, 3, 4, 3]);
        verdicts.push((files, verdict.roles));
    }
    assert!(verdicts.windows(2).all(|pair| pair[0] == pair[1]));

    // And all at once, which one entry says.
    let all: Vec<&Path> = copies.iter().map(PathBuf::as_path).collect();
    let together = Event::open(&event).unwrap();
    assert_eq!(together.merge(&all, later).unwrap(), 4 + 7);
    assert_eq!(together.merge(&all, later).unwrap(), 0);
    together.combine(later).unwrap();
    let verdict = together.verify().unwrap();
    assert_eq!(verdict.roles, verdicts[0].1);
}

/// Each entry in turn loses one byte of every member, or goes.
#[test]
fn a_changed_or_missing_entry_is_found() {
    let base = tempfile::tempdir().unwrap();
    let (_, event, copies) = three_copies(&base);
    let all: Vec<&Path> = copies.iter().map(PathBuf::as_path).collect();
    let merged = Event::open(&event).unwrap();
    merged.merge(&all, now() + TimeDelta::hours(1)).unwrap();
    merged.combine(now() + TimeDelta::hours(1)).unwrap();
    let last = merged.verify().unwrap().transcript.heads();
    let folder = event.join("transcript");
    let names: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(names.len(), 1 + 7 + 1 + 1);
    for path in &names {
        let good = fs::read(path).unwrap();
        for at in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(path, bad).unwrap();
            // Nothing follows the last entry, so its own time or note may change and still fit.
            // Its digest is what `verify` shows and people publish.
            match Event::open(&event).unwrap().verify() {
                Err(_) => {}
                Ok(verdict) => {
                    assert!(
                        path.ends_with("administrator.0003.json"),
                        "{}",
                        path.display()
                    );
                    assert_ne!(verdict.transcript.heads(), last);
                }
            }
        }
        fs::remove_file(path).unwrap();
        let missing = Event::open(&event).unwrap().verify();
        assert!(missing.is_err(), "{}", path.display());
        fs::write(path, good).unwrap();
    }
    merged.verify().unwrap();
}

#[test]
fn files_that_no_step_made_and_lost_files_are_found() {
    let base = tempfile::tempdir().unwrap();
    let (keys, path) = signed(&base);
    let other = base.path().join("other");
    copy(&path, &other);
    Event::open(&other)
        .unwrap()
        .sign(&keys.root[1], now())
        .unwrap();
    // A good signature, put there by hand.
    let name = format!("root.{}.json", keys.root[1].key_id());
    let (from, to) = ("signatures", path.join("signatures").join(&name));
    fs::copy(other.join(from).join(&name), &to).unwrap();
    let event = Event::open(&path).unwrap();
    assert!(matches!(flaw(event.combine(now())), EventFlaw::Unrecorded));
    // Signing again says what it made.
    event.sign(&keys.root[1], now()).unwrap();
    event.combine(now()).unwrap();
    event.verify().unwrap();
    fs::remove_file(&to).unwrap();
    assert!(event.verify().is_err());
}

#[test]
fn copies_that_do_not_fit_are_refused_whole() {
    let base = tempfile::tempdir().unwrap();
    let (keys, event, copies) = three_copies(&base);
    let main = Event::open(&event).unwrap();
    let later = now() + TimeDelta::hours(1);

    // The same holder on two machines: two first steps.
    let twin = base.path().join("twin");
    copy(&event, &twin);
    let early = now() + TimeDelta::minutes(1);
    Event::open(&twin)
        .unwrap()
        .record_review("Ada", early)
        .unwrap();
    let both = main.merge(&[&copies[0], &twin], later);
    assert!(
        matches!(both, Err(CeremonyError::Conflict { .. })),
        "{both:?}"
    );
    assert!(is_empty(&event.join("signatures")));

    let foreign = base.path().join("foreign");
    Event::plan_genesis(&foreign, &Keys::new().plan()).unwrap();
    let other = main.merge(&[&copies[0], &foreign], later);
    assert!(matches!(other, Err(CeremonyError::OtherEvent { .. })));
    assert!(is_empty(&event.join("signatures")));

    // A copy somebody changed on its way.
    let name = "transcript/Bo.0001.json".to_lowercase();
    common::tamper(&copies[1].join(name), "\"note\":\"\"", "\"note\":\"x\"");
    let changed = main.merge(&[&copies[1]], later);
    assert!(matches!(flaw(changed), EventFlaw::Transcript { .. }));

    // A clock that runs behind the last entry.
    main.merge(&[&copies[0]], later).unwrap();
    let behind = main.sign(&keys.root[1], now());
    assert!(
        matches!(behind, Err(CeremonyError::Clock { .. })),
        "{behind:?}"
    );
}
