//! Pointers damaged behind our back are put again by the next cycle, though nothing is due.

mod support;

use std::fs;

use chrono::TimeDelta;
use countersign_repository::{Repository, StorePath, TickOptions};
use support::{Ceremony, Reader, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

fn with_samples(folder: &std::path::Path, ceremony: &Ceremony) -> Repository {
    let mut index = support::published(folder, ceremony);
    index.add_files(&samples(), start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    index
}

#[test]
fn each_pointer_is_put_again_whatever_happened_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = with_samples(folder.path(), &ceremony);
    let pointers = [
        "metadata/timestamp.json",
        "simple/countersign-sample-cli/index.html",
        "simple/countersign-sample-cli/index.json",
    ];
    for pointer in pointers {
        let path = index.store_folder().unwrap().join(pointer);
        let published = fs::read(&path).unwrap();
        let longer = [&*published, b"more"].concat();
        for damage in [None, Some(&b""[..]), Some(&published[1..]), Some(&longer)] {
            match damage {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => fs::write(&path, bytes).unwrap(),
            }
            let report = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
            let mended: Vec<_> = report.mended.iter().map(StorePath::as_str).collect();
            assert_eq!(mended, [pointer]);
            assert_eq!(report.timestamp, None, "nothing is signed for it");
            assert_eq!(fs::read(&path).unwrap(), published);
        }
        let idle = index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
        assert_eq!(idle.mended.len(), 0);
    }
    Reader::of(&index, &ceremony, start());
}

/// One that is newer, and signed, is the work of a machine with the timestamp key alone.
#[test]
fn an_older_timestamp_is_replaced_by_the_one_published_last() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = with_samples(folder.path(), &ceremony);
    let path = index
        .store_folder()
        .unwrap()
        .join("metadata/timestamp.json");
    let old = fs::read(&path).unwrap();
    let later = start() + TimeDelta::minutes(6);
    index.tick(&ceremony.online(), later, AT_ONCE).unwrap();
    let new = fs::read(&path).unwrap();
    assert_ne!(old, new);
    fs::write(&path, old).unwrap();
    let report = index.tick(&ceremony.online(), later, AT_ONCE).unwrap();
    assert_eq!(report.mended.len(), 1);
    assert_eq!(fs::read(&path).unwrap(), new);
}
