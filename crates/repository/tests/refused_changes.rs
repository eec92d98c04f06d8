//! A change that cannot be published is answered; everything else is published without it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use countersign_repository::{
    Answer, ChangeId, Outcome, Repository, RepositoryError, StorePath, TickOptions, TickReport,
};
use rusqlite::Connection;
use support::{Ceremony, Reader, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };
/// Larger than `bins`, which it holds for as well.
const LIMIT: u64 = 5_000;

/// A published index whose policy allows a role so many bytes from now on.
fn with_limit(folder: &Path, ceremony: &Ceremony, limit: u64) -> Repository {
    drop(support::published(folder, ceremony));
    let db = Connection::open(folder.join("state.sqlite")).unwrap();
    let text = support::POLICY
        .replace("role_bytes = 5_000_000", &format!("role_bytes = {limit}"))
        .replace("expected_targets = 500", "expected_targets = 16");
    let changed = db.execute(
        "UPDATE settings SET value = ?1 WHERE name = 'policy'",
        [text],
    );
    assert_eq!(changed.unwrap(), 1);
    drop(db);
    Repository::open(folder).unwrap()
}

/// Wheels of one project with long names, whose targets cannot fit into the bins.
fn too_many(folder: &Path) -> Vec<PathBuf> {
    let wheel = samples()
        .into_iter()
        .find(|path| path.to_string_lossy().contains("sample_words"))
        .unwrap();
    let name = |number: u32| {
        let tag = "x".repeat(100);
        format!("countersign_sample_words-1.0.0-{number}{tag}-py3-none-any.whl")
    };
    let copy = |number| {
        let path = folder.join(name(number));
        fs::copy(&wheel, &path).unwrap();
        path
    };
    (1..=180).map(copy).collect()
}

fn outcome(report: &TickReport, id: ChangeId) -> &Outcome {
    let found = report.outcomes.iter().find(|(known, _)| *known == id);
    &found.unwrap().1
}

#[test]
fn a_change_that_makes_a_bin_too_large_is_refused_alone() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = with_limit(folder.path(), &ceremony, LIMIT);
    let files = tempfile::tempdir().unwrap();
    let large = index
        .add_files(&too_many(files.path()), start() + TimeDelta::seconds(1))
        .unwrap();
    assert!(large.refused.is_empty(), "{:?}", large.refused[0]);
    let others: Vec<_> = samples()
        .into_iter()
        .filter(|path| !path.to_string_lossy().contains("sample_words"))
        .collect();
    let good = index
        .add_files(&others, start() + TimeDelta::seconds(1))
        .unwrap();
    let now = start() + TimeDelta::seconds(2);
    let report = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    for id in &large.changes {
        let Outcome::Refused(why) = outcome(&report, *id) else {
            panic!("{report:?}")
        };
        assert!(why.contains(&LIMIT.to_string()), "{why}");
        assert!(why.starts_with("bins-"), "{why}");
    }
    for id in &good.changes {
        assert!(matches!(outcome(&report, *id), Outcome::Published(_)));
    }
    let reader = Reader::of(&index, &ceremony, now);
    for path in &others {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(reader.file(name).is_some(), "{name}");
    }
    // It is answered for good: nothing waits, and nothing more is signed.
    assert_eq!(index.status(now).unwrap().pending, 0);
    let again = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!((again.timestamp, again.outcomes.len()), (None, 0));
    let Answer::Decided(answers) = index.answers(&large.changes).unwrap() else {
        panic!("not decided")
    };
    assert_eq!(answers.len(), 180);
}

/// The index grows until a bin is full: what came before stays, what comes after is taken up.
#[test]
fn the_first_change_too_many_is_the_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = with_limit(folder.path(), &ceremony, LIMIT);
    let files = tempfile::tempdir().unwrap();
    let mut ids = Vec::new();
    for (second, path) in (1..).zip(too_many(files.path())) {
        let now = start() + TimeDelta::seconds(second);
        ids.extend(index.add_files(&[path], now).unwrap().changes);
    }
    let now = start() + TimeDelta::minutes(2);
    let mut outcomes = Vec::new();
    for _ in 0..40 {
        let report = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
        outcomes.extend(report.outcomes);
    }
    let refused: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Refused(_)))
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(outcomes.len(), ids.len(), "each is answered once");
    assert!(!refused.is_empty() && refused.len() < ids.len() / 2);
    assert!(!refused.contains(&ids[0]), "there was room for the first");
    assert_eq!(index.status(now).unwrap().pending, 0);
}

#[test]
fn roles_are_renewed_though_a_change_cannot_be_published() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = with_limit(folder.path(), &ceremony, LIMIT);
    let files = tempfile::tempdir().unwrap();
    index.add_files(&too_many(files.path()), start()).unwrap();
    let later = start() + TimeDelta::minutes(9);
    let report = index
        .tick(&ceremony.online(), later, TickOptions::default())
        .unwrap();
    assert!(report.timestamp.is_some(), "{report:?}");
    Reader::of(&index, &ceremony, later);
}

/// Something that is not ours stands where a snapshot belongs: its number is given up at once.
#[test]
fn a_lasting_conflict_costs_a_number_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let obstacle = index
        .store_folder()
        .unwrap()
        .join("metadata/2.snapshot.json");
    fs::create_dir(obstacle).unwrap();
    index.add_files(&samples(), start()).unwrap();
    let error = index
        .tick(&ceremony.online(), start(), AT_ONCE)
        .unwrap_err();
    assert!(matches!(error, RepositoryError::Store(_)), "{error:?}");
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert!(report.burned_earlier);
    let blocked = report.blocked.as_ref().map(StorePath::as_str);
    assert_eq!(blocked, Some("metadata/2.snapshot.json"));
    assert_eq!(report.snapshot, Some(support::version(3)));
    assert_eq!(report.outcomes.len(), 3);
}

/// The same where an upload belongs: the changes wait, and the roles stay fresh.
#[test]
fn a_blocked_upload_does_not_hold_up_renewals() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let upload = samples().remove(0);
    let name = upload.file_name().unwrap().to_str().unwrap().to_owned();
    index.add_files(&[upload], start()).unwrap();
    let filename = index::DistributionFilename::parse(&name).unwrap();
    let path = index::file_path(&filename);
    let obstacle = index.store_folder().unwrap().join(path.as_str());
    fs::create_dir_all(&obstacle).unwrap();
    let due = start() + TimeDelta::minutes(6);
    assert!(index.tick(&ceremony.online(), due, AT_ONCE).is_err());
    let report = index.tick(&ceremony.online(), due, AT_ONCE).unwrap();
    assert_eq!(report.blocked.unwrap().as_str(), path.as_str());
    assert!(report.timestamp.is_some(), "renewed without the change");
    assert_eq!(index.status(due).unwrap().pending, 1);
    fs::remove_dir(obstacle).unwrap();
    index.tick(&ceremony.online(), due, AT_ONCE).unwrap();
    assert!(Reader::of(&index, &ceremony, due).file(&name).is_some());
}
