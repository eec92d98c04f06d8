//! Yanking, removing projects, synchronising a folder; and that a batch gives what serial processing
//! would.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use countersign_repository::{IntakeError, Repository, RepositoryError, SyncOptions, TickOptions};
use index::{DistributionFilename, Yanked};
use proptest::prelude::*;
use support::{Ceremony, Reader, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

fn names() -> Vec<String> {
    let name = |path: std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    samples().into_iter().map(name).collect()
}

fn project_of(filename: &str) -> String {
    let filename = DistributionFilename::parse(filename).unwrap();
    filename.project().as_str().to_owned()
}

/// The plain page of a project, as served.
fn page(index: &Repository, filename: &str) -> String {
    let page = format!("simple/{}/index.json", project_of(filename));
    fs::read_to_string(index.store_folder().unwrap().join(page)).unwrap_or_default()
}

fn with_samples(folder: &Path, ceremony: &Ceremony) -> Repository {
    let mut index = support::published(folder, ceremony);
    index.add_files(&samples(), start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    index
}

#[test]
fn a_yanked_file_is_marked_and_stays_a_target() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = with_samples(folder.path(), &ceremony);
    let name = &names()[0];
    let before = page(&index, name);
    let reason = Yanked::Because("broken on Windows".to_owned());
    let files = [name.clone(), "nosuch-1.0.tar.gz".to_owned()];
    let intake = index.yank_files(&files, &reason, start()).unwrap();
    assert_eq!((intake.accepted.len(), intake.refused.len()), (1, 1));
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(report.bins, 1, "only the page changes");
    assert!(page(&index, name).contains("\"yanked\":\"broken on Windows\""));
    assert!(Reader::of(&index, &ceremony, start()).file(name).is_some());

    // Asked again it is nothing new; undone, the page is what it was.
    let again = index.yank_files(&files[..1], &reason, start()).unwrap();
    assert!(again.accepted[0].already);
    index.yank_files(&files[..1], &Yanked::No, start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(page(&index, name), before);
}

#[test]
fn a_reason_that_no_page_can_carry_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = with_samples(folder.path(), &ceremony);
    let reason = Yanked::Because("two\nlines".to_owned());
    let intake = index.yank_files(&names()[..1], &reason, start()).unwrap();
    assert!(matches!(intake.refused[0].1, IntakeError::Page(_)));
    assert_eq!(index.status(start()).unwrap().pending, 0);
}

#[test]
fn a_removed_project_has_no_files_and_its_names_stay_taken() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = with_samples(folder.path(), &ceremony);
    let name = &names()[0];
    let project = project_of(name);
    assert_eq!(
        index
            .remove_project(&project, start())
            .unwrap()
            .accepted
            .len(),
        1
    );
    let second = index.remove_project(&project, start()).unwrap();
    assert!(matches!(second.refused[0].1, IntakeError::Unknown));
    let odd = index.remove_project("no/name", start()).unwrap();
    assert!(matches!(odd.refused[0].1, IntakeError::Project(_)));
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let reader = Reader::of(&index, &ceremony, start());
    assert!(reader.file(name).is_none());
    assert!(reader.file(&names()[1]).is_some());
    assert!(page(&index, name).contains("\"files\":[]"));
}

#[test]
fn a_folder_is_synchronised_in_one_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = with_samples(folder.path(), &ceremony);
    index.remove_files(&names()[..1], start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();

    // The folder: the file just removed, one that stays, none of the third, one changed, one stray.
    let wanted = folder.path().join("wanted");
    fs::create_dir_all(wanted.join("below")).unwrap();
    fs::copy(&samples()[0], wanted.join("below").join(&names()[0])).unwrap();
    fs::copy(&samples()[1], wanted.join(&names()[1])).unwrap();
    fs::write(wanted.join("notes.txt"), b"no distribution").unwrap();
    let plan = index.plan_sync(&wanted).unwrap();
    assert_eq!(
        (plan.add.len(), plan.remove.len(), plan.unchanged),
        (1, 1, 1)
    );
    assert_eq!((plan.ignored.len(), plan.changed.len()), (1, 0));

    let refused = index.sync(&wanted, SyncOptions::default(), start());
    let Err(RepositoryError::SyncRemoves {
        removed, present, ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!((removed, present), (1, 2));
    assert_eq!(
        index.status(start()).unwrap().pending,
        0,
        "nothing was queued"
    );

    let force = SyncOptions {
        force: true,
        ..SyncOptions::default()
    };
    assert_eq!(index.sync(&wanted, force, start()).unwrap().plan, plan);
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(report.outcomes.len(), 2);
    let reader = Reader::of(&index, &ceremony, start());
    let listed: Vec<bool> = names()
        .iter()
        .map(|name| reader.file(name).is_some())
        .collect();
    assert_eq!(listed, [true, true, false]);

    fs::write(wanted.join(&names()[1]), b"other bytes").unwrap();
    let report = index
        .sync(&wanted, SyncOptions::default(), start())
        .unwrap();
    assert_eq!(
        (report.plan.changed.len(), report.intake.refused.len()),
        (1, 1)
    );
}

#[test]
fn an_empty_folder_does_not_empty_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = with_samples(folder.path(), &ceremony);
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let refused = index.sync(&empty, SyncOptions::default(), start());
    assert!(matches!(
        refused,
        Err(RepositoryError::SyncRemoves {
            removed: 3,
            present: 3,
            ..
        })
    ));
}

#[test]
fn a_plan_is_a_pure_look_at_any_time() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    assert!(index.plan_at(start(), AT_ONCE).unwrap().is_idle());
    let next = index.plan_at(start(), AT_ONCE).unwrap().next.unwrap();
    let early = next - chrono::TimeDelta::seconds(1);
    assert!(index.plan_at(early, AT_ONCE).unwrap().is_idle());
    assert!(!index.plan_at(next, AT_ONCE).unwrap().is_idle());
    index.add_files(&samples(), start()).unwrap();
    let planned = index.plan_at(start(), AT_ONCE).unwrap();
    assert!(planned.take_changes);
    assert_eq!(
        index.status(start()).unwrap().pending,
        3,
        "looking takes nothing up"
    );
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(
        report.bins,
        planned.bins.len(),
        "the cycle does what was planned"
    );
}

/// What the model knows of an operation: on file `0..3`.
#[derive(Clone, Debug)]
enum Operation {
    Add(usize),
    Remove(usize),
    Yank(usize, String),
    Unyank(usize),
    RemoveProject(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    let file = 0..3_usize;
    prop_oneof![
        3 => file.clone().prop_map(Operation::Add),
        2 => file.clone().prop_map(Operation::Remove),
        2 => (file.clone(), "[a-z]{1,5}").prop_map(|(file, why)| Operation::Yank(file, why)),
        1 => file.clone().prop_map(Operation::Unyank),
        1 => file.prop_map(Operation::RemoveProject),
    ]
}

fn perform(index: &mut Repository, operation: &Operation) {
    let name = |file: &usize| vec![names()[*file].clone()];
    match operation {
        Operation::Add(file) => index.add_files(&[samples()[*file].clone()], start()),
        Operation::Remove(file) => index.remove_files(&name(file), start()),
        Operation::Yank(file, why) => {
            index.yank_files(&name(file), &Yanked::Because(why.clone()), start())
        }
        Operation::Unyank(file) => index.yank_files(&name(file), &Yanked::No, start()),
        Operation::RemoveProject(file) => {
            index.remove_project(&project_of(&name(file)[0]), start())
        }
    }
    .unwrap();
}

/// Serial processing in four lines: a file's yank reason, if it is listed.
fn model(operations: &[Operation]) -> BTreeMap<usize, Option<String>> {
    let mut listed: BTreeMap<usize, Option<String>> = BTreeMap::new();
    for operation in operations {
        match operation {
            Operation::Add(file) => drop(listed.entry(*file).or_default()),
            Operation::Remove(file) | Operation::RemoveProject(file) => drop(listed.remove(file)),
            Operation::Yank(file, why) => {
                listed
                    .entry(*file)
                    .and_modify(|yanked| *yanked = Some(why.clone()));
            }
            Operation::Unyank(file) => {
                listed.entry(*file).and_modify(|yanked| *yanked = None);
            }
        }
    }
    listed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_gives_what_serial_processing_would(
        operations in prop::collection::vec((operation(), any::<bool>()), 1..14),
    ) {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let ceremony = Ceremony::new();
        let mut batched = support::published(folders[0].path(), &ceremony);
        let mut serial = support::published(folders[1].path(), &ceremony);
        for (operation, cut) in &operations {
            perform(&mut batched, operation);
            perform(&mut serial, operation);
            serial.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
            if *cut {
                batched.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
            }
        }
        batched.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
        let done: Vec<Operation> = operations.into_iter().map(|(one, _)| one).collect();
        let expected = model(&done);
        let readers = [&batched, &serial].map(|index| Reader::of(index, &ceremony, start()));
        for (file, name) in names().iter().enumerate() {
            for reader in &readers {
                prop_assert_eq!(reader.file(name).is_some(), expected.contains_key(&file));
            }
            for index in [&batched, &serial] {
                let page = page(index, name);
                match expected.get(&file) {
                    Some(Some(why)) => {
                        let mark = format!("\"yanked\":\"{why}\"");
                        prop_assert!(page.contains(&mark), "{}", page);
                    }
                    _ => prop_assert!(!page.contains("\"yanked\":\""), "{}", page),
                }
            }
        }
    }
}
