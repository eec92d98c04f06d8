//! Two intakes at once: neither writes into the other's files, and a name stands for one file.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use countersign_repository::{IntakeError, Repository, RepositoryError, TickOptions};
use metadata::Sha256;
use support::checker::Checker;
use support::{Ceremony, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

fn wheel() -> PathBuf {
    let mut samples = samples().into_iter();
    let is_wheel = |path: &PathBuf| path.to_string_lossy().contains("sample_words");
    samples.find(is_wheel).unwrap()
}

/// The same wheel in other bytes: its first file has another date, in its own header and in the central
/// directory (APPNOTE 4.3.7, 4.3.12).
fn of_another_day() -> Vec<u8> {
    let mut archive = fs::read(wheel()).unwrap();
    let mut fours = archive.windows(4);
    let central = fours.position(|four| four == b"PK\x01\x02").unwrap();
    archive[12] ^= 1;
    archive[central + 14] ^= 1;
    archive
}

/// A process in another container may have our pid and be in the middle of an upload.
#[test]
fn temporaries_of_another_process_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = support::repository(folder.path());
    let theirs = |number| {
        let name = format!("incoming/.{}-{number}.tmp", std::process::id());
        folder.path().join(name)
    };
    for number in 0..8 {
        fs::write(theirs(number), b"half an upload").unwrap();
    }
    let intake = index.add_files(&samples(), start()).unwrap();
    assert_eq!((intake.accepted.len(), intake.refused.len()), (3, 0));
    for number in 0..8 {
        assert_eq!(fs::read(theirs(number)).unwrap(), b"half an upload");
    }
    for one in &intake.accepted {
        let kept = fs::read(folder.path().join(format!("incoming/{}", one.sha256))).unwrap();
        assert_eq!(Sha256::of(&kept), one.sha256);
    }
}

/// What became of one side of a race.
#[derive(Debug, PartialEq, Eq)]
enum Side {
    Won,
    Lost,
}

fn add(folder: &Path, file: &Path, together: &Barrier) -> Side {
    let mut index = Repository::open(folder).unwrap();
    together.wait();
    match index.add_files(&[file.to_owned()], start()) {
        Ok(intake) => match intake.refused.first() {
            None => Side::Won,
            Some((_, IntakeError::NameTaken { .. })) => Side::Lost,
            Some((_, other)) => panic!("{other:?}"),
        },
        Err(RepositoryError::NameTaken { .. }) => Side::Lost,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_name_wanted_twice_at_one_moment_goes_to_one() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    drop(support::published(folder.path(), &ceremony));
    let files = tempfile::tempdir().unwrap();
    for (side, bytes) in [
        ("one", fs::read(wheel()).unwrap()),
        ("two", of_another_day()),
    ] {
        fs::create_dir(files.path().join(side)).unwrap();
        for round in 1..=25 {
            let name = format!("{side}/countersign_sample_words-1.0.0-{round}-py3-none-any.whl");
            fs::write(files.path().join(name), &bytes).unwrap();
        }
    }
    for round in 1..=25 {
        let name = format!("countersign_sample_words-1.0.0-{round}-py3-none-any.whl");
        let together = Barrier::new(2);
        let sides = std::thread::scope(|scope| {
            let start = |side: &str| {
                let file = files.path().join(side).join(&name);
                let (folder, together) = (folder.path(), &together);
                scope.spawn(move || add(folder, &file, together))
            };
            let (one, two) = (start("one"), start("two"));
            [one.join().unwrap(), two.join().unwrap()]
        });
        let won = sides.iter().filter(|side| **side == Side::Won).count();
        assert_eq!(won, 1, "{sides:?} in round {round}");
    }
    let mut index = Repository::open(folder.path()).unwrap();
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(report.outcomes.len(), 25);
    let mut checker = Checker::new(index.store_folder().unwrap());
    assert_eq!(checker.look(start()).unwrap().files.len(), 25);
}
