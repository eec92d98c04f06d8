//! A full disk, a store that cannot be written, two signers: nothing is lost, and it goes on by itself.

mod support;

use std::fs;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use countersign_repository::{Repository, RepositoryError, StoreError, TickOptions};
use support::watched::watched;
use support::{Ceremony, Reader, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

fn all_listed(index: &Repository, ceremony: &Ceremony) -> bool {
    let reader = Reader::of(index, ceremony, start());
    samples().iter().all(|path| {
        reader
            .file(path.file_name().unwrap().to_str().unwrap())
            .is_some()
    })
}

#[test]
fn a_full_disk_loses_nothing_and_the_next_cycle_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    drop(support::published(folder.path(), &ceremony));
    for room in [0, 1, 5, 11] {
        let left = Arc::new(AtomicUsize::new(room));
        let room = Arc::clone(&left);
        let watcher = move |_: &str| {
            let taken = room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            taken
                .map(drop)
                .map_err(|_| io::ErrorKind::StorageFull.into())
        };
        let mut index = watched(folder.path(), Box::new(watcher));
        index.add_files(&samples(), start()).unwrap();
        let error = index
            .tick(&ceremony.online(), start(), AT_ONCE)
            .unwrap_err();
        let RepositoryError::Store(StoreError::Io { source, .. }) = error else {
            panic!("{error:?}")
        };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        Reader::of(&index, &ceremony, start());
        assert!(index.status(start()).unwrap().unfinished);
    }
    let mut index = Repository::open(folder.path()).unwrap();
    let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert!(report.finished_earlier);
    assert!(all_listed(&index, &ceremony));
}

#[test]
fn a_store_that_cannot_be_written_is_an_error_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    index.add_files(&samples(), start()).unwrap();
    // A file where the folder has to be stops even a superuser.
    let targets = index.store_folder().unwrap().join("targets");
    fs::write(&targets, b"in the way").unwrap();
    let error = index
        .tick(&ceremony.online(), start(), AT_ONCE)
        .unwrap_err();
    assert!(
        matches!(error, RepositoryError::Store(StoreError::Io { .. })),
        "{error:?}"
    );
    Reader::of(&index, &ceremony, start());
    fs::remove_file(&targets).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert!(all_listed(&index, &ceremony));
}

#[test]
fn two_signers_at_once_publish_once() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    index.add_files(&samples(), start()).unwrap();
    let barrier = Arc::new(Barrier::new(2));
    let signers: Vec<_> = (0..2)
        .map(|_| {
            let (path, online) = (folder.path().to_owned(), ceremony.online());
            let barrier = Arc::clone(&barrier);
            std::thread::spawn(move || {
                let mut index = Repository::open(&path).unwrap();
                barrier.wait();
                index.tick(&online, start(), AT_ONCE)
            })
        })
        .collect();
    let mut published = 0;
    for signer in signers {
        match signer.join().unwrap() {
            Ok(report) => published += u32::from(report.snapshot.is_some()),
            Err(RepositoryError::Locked { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(published, 1);
    assert!(all_listed(&index, &ceremony));
}
