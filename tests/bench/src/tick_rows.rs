//! Whole cycles of the repository: reading the state, planning, signing, rehearsing, journalling in
//! SQLite, writing and syncing files. DESIGN §10 shows them beside the bare library calls.

use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use countersign_tests::published::{Made, PublishedIndex};
use index::DistributionFilename;
use keys::KeyType;
use metadata::Sha256;
use policy::Encoding;
use repository::{Change, FileRecord, SqliteState, State};

use crate::meter::Meter;
use crate::scene::BINS;

/// What a measured cycle has to do.
#[derive(Clone, Copy)]
pub(crate) enum Cycle {
    /// The first of an index: every bin is signed, empty.
    First,
    /// So many new files.
    Files(u32),
    /// The timestamp is due, nothing else.
    Timestamp,
}

/// Times one cycle; the ceremony before it is not counted, but for the first cycle, which includes it.
pub(crate) fn tick(cycle: Cycle, key: KeyType) -> Meter {
    let home = tempfile::tempdir().unwrap();
    let now = Utc::now();
    let made = Made {
        bins: (BINS, Encoding::Succinct),
        keys: key,
        now,
    };
    if matches!(cycle, Cycle::First) {
        let mut meter = Meter::start();
        meter.time(|| PublishedIndex::make(home.path(), made, &[]));
        return meter;
    }
    let mut index = PublishedIndex::make(home.path(), made, &[]);
    let at = match cycle {
        Cycle::Files(count) => {
            enqueue(&home.path().join("index"), 0, count, now);
            now + TimeDelta::seconds(1)
        }
        Cycle::First | Cycle::Timestamp => now + TimeDelta::hours(13),
    };
    let mut meter = Meter::start();
    meter.time(|| index.tick(at));
    meter
}

/// Queues files as intake does after it has inspected them.
pub(crate) fn enqueue(folder: &Path, first: u32, count: u32, now: DateTime<Utc>) {
    let changes: Vec<Change> = (first..first + count)
        .map(|number| {
            let name = format!("project_{number:05}-1.0.0.tar.gz");
            let bytes = name.as_bytes();
            let sha256 = Sha256::of(bytes);
            fs::write(folder.join("incoming").join(sha256.to_string()), bytes).unwrap();
            Change::Add(FileRecord {
                yanked: index::Yanked::No,
                filename: DistributionFilename::parse(&name).unwrap(),
                sha256,
                size: bytes.len() as u64,
                requires_python: None,
                uploaded: now,
                core_metadata: None,
            })
        })
        .collect();
    let mut state = SqliteState::open(&folder.join("state.sqlite")).unwrap();
    state.enqueue(&changes, now).unwrap();
}
