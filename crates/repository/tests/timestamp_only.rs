//! A machine with the timestamp key alone keeps the timestamp fresh, and can do nothing else.

mod support;

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use countersign_repository::{
    LocalStore, OnlineSigners, Repository, RepositoryError, TickOptions, TimestampOnly,
    TimestampReport,
};
use keys::KeyError;
use support::{Ceremony, Reader, samples, start, version};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

fn tick(
    index: &Repository,
    folder: &Path,
    signers: &OnlineSigners,
    now: DateTime<Utc>,
) -> Result<TimestampReport, RepositoryError> {
    let root = fs::read(index.store_folder().unwrap().join("metadata/1.root.json")).unwrap();
    let mut store = LocalStore::open(index.store_folder().unwrap()).unwrap();
    TimestampOnly {
        store: &mut store,
        root: &root,
        floor: &folder.join("floor.json"),
        policy: &index.settings().policy,
    }
    .tick(signers, now)
}

fn apart(folder: &Path) -> (Ceremony, Repository) {
    let mut ceremony = Ceremony::new();
    ceremony.tell_online_keys_apart();
    let index = support::published(folder, &ceremony);
    (ceremony, index)
}

#[test]
fn it_renews_when_due_with_its_key_and_the_signer_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let (ceremony, mut index) = apart(folder.path());
    let fresh = tick(&index, folder.path(), &ceremony.only(0), start()).unwrap();
    assert_eq!(fresh.signed, None, "not due");
    let now = start() + index.settings().policy.roles.timestamp.lifetime / 2;
    let wrong = tick(&index, folder.path(), &ceremony.only(1), now);
    assert!(
        matches!(
            &wrong,
            Err(RepositoryError::Key {
                source: KeyError::DifferentKey { .. },
                ..
            })
        ),
        "the snapshot key cannot"
    );
    let report = tick(&index, folder.path(), &ceremony.only(0), now).unwrap();
    assert_eq!(
        (report.signed, report.snapshot),
        (Some(version(2)), version(1))
    );
    assert_eq!(
        tick(&index, folder.path(), &ceremony.only(0), now)
            .unwrap()
            .signed,
        None
    );
    Reader::of(&index, &ceremony, now);

    index.add_files(&samples(), now).unwrap();
    let report = index.tick(&ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!(
        report.timestamp,
        Some(version(3)),
        "above what the other machine signed"
    );
    Reader::of(&index, &ceremony, now);
}

#[test]
fn it_follows_neither_an_older_nor_a_forged_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let (ceremony, mut index) = apart(folder.path());
    let path = index
        .store_folder()
        .unwrap()
        .join("metadata/timestamp.json");
    let old = fs::read(&path).unwrap();
    index.add_files(&samples(), start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let now = start() + index.settings().policy.roles.timestamp.lifetime / 2;
    tick(&index, folder.path(), &ceremony.only(0), now).unwrap();

    fs::write(&path, &old).unwrap();
    let refused = tick(&index, folder.path(), &ceremony.only(0), now);
    assert!(
        matches!(refused, Err(RepositoryError::BelowFloor { .. })),
        "{refused:?}"
    );

    fs::remove_file(folder.path().join("floor.json")).unwrap();
    let snapshot = index
        .store_folder()
        .unwrap()
        .join("metadata/1.snapshot.json");
    let forged = fs::read_to_string(&snapshot)
        .unwrap()
        .replace("\"version\":1", "\"version\":7");
    fs::write(&snapshot, forged).unwrap();
    let refused = tick(&index, folder.path(), &ceremony.only(0), now);
    assert!(
        matches!(refused, Err(RepositoryError::Rehearsal { .. })),
        "{refused:?}"
    );
}

#[test]
fn an_expired_timestamp_is_renewed_but_not_over_an_expired_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let (ceremony, index) = apart(folder.path());
    let roles = &index.settings().policy.roles;
    let dead = start() + roles.snapshot.lifetime;
    let refused = tick(&index, folder.path(), &ceremony.only(0), dead);
    assert!(
        matches!(refused, Err(RepositoryError::NotForThisKey { .. })),
        "{refused:?}"
    );
    if roles.timestamp.lifetime < roles.snapshot.lifetime {
        let late = start() + roles.timestamp.lifetime;
        assert!(
            tick(&index, folder.path(), &ceremony.only(0), late)
                .unwrap()
                .signed
                .is_some()
        );
    }
}
