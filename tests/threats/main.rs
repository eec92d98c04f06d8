//! The PEPs' own tables of what each stolen key allows (PEP 458 Table 4, PEP 480 Table 1), cell by
//! cell: an attacker with exactly those keys and the network tries everything that stands in
//! `strategies.rs` against our client, python-tuf and pip through the proxy. A cell that says NO holds only if every attempt
//! fails, and has a control: the same attempts with the keys that are missing and no other, one of
//! which succeeds.

mod attacker;
mod claims_window;
mod foreign;
mod installers;
mod layouts;
mod rows;
mod strategies;
mod table;
mod through_the_proxy;

use layouts::Goal;
use rows::{PEP_458, PEP_480, Row};

/// Everything in one row, against pip through the proxy.
async fn holds_for_pip(row: &Row) {
    use through_the_proxy::{freeze, inconsistency, malicious};

    for goal in row.layout.goals() {
        let expected = row.through_pip(*goal);
        let found = malicious(row, row.stolen, *goal).await;
        assert_eq!(
            found.is_some(),
            expected,
            "{}: {goal:?} by {found:?}",
            row.name
        );
        if !expected {
            let control = malicious(row, &row.with_keys_of_pip(*goal), *goal).await;
            assert!(control.is_some(), "{}: control of {goal:?}", row.name);
        }
    }
    if let Some(expected) = row.freeze {
        assert_eq!(freeze(row, row.stolen, 2).await, expected, "{}", row.name);
        let control = freeze(row, &row.with_online_keys(), 2).await;
        assert!(control, "{}: control of freeze", row.name);
        if let Some(days) = row.freeze_ends {
            let found = freeze(row, row.stolen, days).await;
            assert!(!found, "{}: freeze after {days} days", row.name);
        }
    }
    if let Some(expected) = row.inconsistency {
        let found = inconsistency(row, row.stolen).await;
        assert_eq!(found, expected, "{}: inconsistency", row.name);
        let control = inconsistency(row, &row.with_online_keys()).await;
        assert!(control, "{}: control of inconsistency", row.name);
    }
}

/// Everything in one row, against our client and python-tuf.
async fn holds(row: &Row) {
    let mut python = foreign::PythonTuf::start();
    for goal in row.layout.goals() {
        let expected = row.malicious.on(*goal);
        let ours = strategies::malicious(row, row.stolen, *goal).await;
        assert_eq!(
            ours.is_some(),
            expected,
            "{}: {goal:?} by {ours:?}",
            row.name
        );
        if !expected {
            let control = strategies::malicious(row, &row.with_key_of(*goal), *goal).await;
            assert!(control.is_some(), "{}: control of {goal:?}", row.name);
        }
        if matches!(goal, Goal::Claimed | Goal::Unclaimed) {
            let theirs = python.malicious(row, row.stolen, *goal).await;
            assert_eq!(
                theirs.is_some(),
                expected,
                "{}: {goal:?} by {theirs:?}",
                row.name
            );
        }
    }
    if let Some(expected) = row.freeze {
        let ours = strategies::freeze(row, row.stolen, 2).await;
        assert_eq!(ours, expected, "{}: freeze", row.name);
        let theirs = python.freeze(row, row.stolen, 2).await;
        assert_eq!(theirs, expected, "{}: freeze", row.name);
        if !expected {
            let control = strategies::freeze(row, &row.with_online_keys(), 2).await;
            assert!(control, "{}: control of freeze", row.name);
        }
        // No freeze but that of a stolen root lasts longer than the first offline role that expires.
        if let Some(days) = row.freeze_ends {
            let ours = strategies::freeze(row, row.stolen, days).await;
            assert!(!ours, "{}: freeze after {days} days", row.name);
            let theirs = python.freeze(row, row.stolen, days).await;
            assert!(!theirs, "{}: freeze after {days} days", row.name);
        }
    }
    if let Some(expected) = row.inconsistency {
        let ours = strategies::inconsistency(row, row.stolen).await;
        assert_eq!(ours, expected, "{}: inconsistency", row.name);
        let theirs = python.inconsistency(row, row.stolen).await;
        assert_eq!(theirs, expected, "{}: inconsistency", row.name);
        if !expected {
            let control = strategies::inconsistency(row, &row.with_online_keys()).await;
            assert!(control, "{}: control", row.name);
        }
    }
}

/// One test for each row, by its place in the table.
macro_rules! rows {
    ($($name:ident: $table:ident[$at:literal]),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (_, name) = stringify!($name).split_once('_').unwrap();
            assert_eq!($table[$at].name.replace(['+', '-'], "_"), name);
            holds(&$table[$at]).await;
        })*

        /// The same rows once more.
        mod pip {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                holds_for_pip(&$table[$at]).await;
            })*
        }

        #[test]
        fn every_row_has_its_test() {
            let tests = [$(stringify!($name)),*].len();
            assert_eq!(tests, PEP_458.len() + PEP_480.len());
        }
    };
}

rows! {
    pep458_targets: PEP_458[0],
    pep458_bins: PEP_458[1],
    pep458_timestamp_snapshot_bin_n: PEP_458[2],
    pep458_root: PEP_458[3],
    pep480_timestamp: PEP_480[0],
    pep480_snapshot: PEP_480[1],
    pep480_timestamp_snapshot: PEP_480[2],
    pep480_targets: PEP_480[3],
    pep480_claimed: PEP_480[4],
    pep480_recently_claimed: PEP_480[5],
    pep480_unclaimed: PEP_480[6],
    pep480_project: PEP_480[7],
    pep480_timestamp_snapshot_project: PEP_480[8],
    pep480_timestamp_snapshot_recently_claimed: PEP_480[9],
    pep480_timestamp_snapshot_unclaimed: PEP_480[10],
    pep480_timestamp_snapshot_targets: PEP_480[11],
    pep480_timestamp_snapshot_claimed: PEP_480[12],
    pep480_root: PEP_480[13],
}
