//! The power fails at any write, and of what was not synced any subset is lost: reopening verifies or
//! rebuilds, and never goes back behind what clients have seen.
//!
//! The state is SQLite's own care: with `synchronous=FULL` in WAL mode a transaction is synced before it is
//! acknowledged, and what its write-ahead log holds after the last commit is discarded by checksum. That half
//! is tested here by cutting the log after commits, at any length.

mod support;

use std::fs;

use countersign_repository::{ClaimRecord, Repository, TickOptions};
use index::Yanked;
use support::checker::Checker;
use support::developers::Team;
use support::lossy::{Dice, Power, lossy};
use support::{Ceremony, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

/// How often each write is the last: more in `tests/long`.
fn rounds() -> u64 {
    let rounds = std::env::var("COUNTERSIGN_LONG_ROUNDS").ok();
    rounds.map_or(1, |rounds| rounds.parse().unwrap())
}

fn names() -> Vec<String> {
    let name = |path: std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    samples().into_iter().map(name).collect()
}

/// What is under way when the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// The index's own changes.
    Files,
    /// The same beside the first release of a project whose developers sign.
    Developers,
}

/// Publishes with the power failing after `writes`: how many writes were lost, or nothing if it never failed.
fn lose_power(work: Work, writes: usize, seed: u64) -> Option<usize> {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = match work {
        Work::Files => Ceremony::new(),
        Work::Developers => Ceremony::with_claims(),
    };
    let mut index = support::published(folder.path(), &ceremony);
    let mut checker = Checker::new(index.store_folder().unwrap());
    index.add_files(&samples()[..2], start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let before = checker.look(start()).unwrap();
    // New files, one that goes, one that changes its page.
    index.add_files(&samples()[2..], start()).unwrap();
    index.remove_files(&names()[..1], start()).unwrap();
    index
        .yank_files(&names()[1..2], &Yanked::Yes, start())
        .unwrap();
    let mut expected = names()[1..].to_vec();
    if work == Work::Developers {
        let team = Team::new(folder.path(), "alpha", 1, start());
        team.register(&mut index, start()).unwrap();
        let wheel = team.wheel("1.0");
        team.release(&mut index, std::slice::from_ref(&wheel), &[], start())
            .unwrap();
        let name = wheel.file_name().unwrap().to_str().unwrap();
        expected.insert(0, name.to_owned());
    }
    drop(index);
    let power = Power::failing_after(writes);
    let mut index = lossy(folder.path(), &power);
    let failed = index.tick(&ceremony.online(), start(), AT_ONCE).is_err();
    drop(index);
    let context = format!("{work:?}, {writes} writes, seed {seed}");
    if !failed {
        return None;
    }
    let lost = power.fail(&mut Dice::new(seed));
    // The repository that clients meet until we are back is the old one or the new one.
    let after = checker
        .look(start())
        .unwrap_or_else(|wrong| panic!("{wrong}: {context}"));
    let mut index = Repository::open(folder.path()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let done = checker
        .look(start())
        .unwrap_or_else(|wrong| panic!("{wrong}: {context}"));
    assert!(after == before || after == done, "a mixture: {context}");
    let listed: Vec<_> = done.files.keys().cloned().collect();
    assert_eq!(listed, expected, "{context}");
    let signed = index.claims().unwrap();
    assert!(signed.values().all(ClaimRecord::is_signed), "{context}");
    assert_eq!(done.yanked, names()[1..2], "{context}");
    let status = index.status(start()).unwrap();
    assert_eq!((status.pending, status.unfinished), (0, false), "{context}");
    Some(lost)
}

/// Loses power after every `step`th write: how many there are, and how many were lost.
fn exhaust(work: Work, step: usize) -> (usize, usize) {
    let (mut most, mut all_lost) = (0, 0);
    for round in 0..rounds() {
        let mut writes = 0;
        while let Some(lost) = lose_power(work, writes, round * 1_000 + writes as u64) {
            writes += step;
            all_lost += lost;
        }
        most = most.max(writes);
    }
    (most, all_lost)
}

#[test]
fn what_developers_released_outlives_a_loss_of_power() {
    let step = if rounds() > 1 { 1 } else { 2 };
    let (most, all_lost) = exhaust(Work::Developers, step);
    assert!(
        most > 24 && all_lost > most / step,
        "{most} writes, {all_lost} lost"
    );
}

#[test]
fn any_subset_of_unsynced_writes_may_be_lost() {
    let (most, all_lost) = exhaust(Work::Files, 1);
    assert!(most > 20, "a publication has {most} writes");
    assert!(all_lost > most, "only {all_lost} writes were lost");
}

/// After an acknowledged change the log is cut anywhere behind it: the change is still there, and nothing
/// that was begun after it.
#[test]
fn what_the_state_acknowledged_outlives_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    drop(support::published(folder.path(), &ceremony));
    let log = folder.path().join("state.sqlite-wal");
    let mut dice = Dice::new(7);
    for round in 0..20 * rounds() {
        let keeper = Repository::open(folder.path()).unwrap();
        let mut index = Repository::open(folder.path()).unwrap();
        let pending = index.status(start()).unwrap().pending;
        index.add_files(&samples()[..1], start()).unwrap();
        index.remove_files(&names()[..1], start()).unwrap();
        let synced = fs::metadata(&log).unwrap().len();
        let copy = tempfile::tempdir().unwrap();
        for name in ["state.sqlite", "state.sqlite-wal"] {
            fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        // The last transaction reached the medium in part: it was not acknowledged.
        let cut = synced - 1 - dice.below(synced / 2);
        let file = fs::File::options()
            .write(true)
            .open(copy.path().join("state.sqlite-wal"))
            .unwrap();
        file.set_len(cut).unwrap();
        fs::create_dir(copy.path().join("repository")).unwrap();
        let reopened = Repository::open(copy.path()).unwrap();
        let found = reopened.status(start()).unwrap().pending;
        assert!(
            found <= pending + 2,
            "{found} of {pending} + 2 in round {round}"
        );
        drop((keeper, index));
        let mut index = Repository::open(folder.path()).unwrap();
        assert_eq!(index.status(start()).unwrap().pending, pending + 2);
        index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    }
}
