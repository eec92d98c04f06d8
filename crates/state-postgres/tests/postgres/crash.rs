//! The crash matrix of the repository over PostgreSQL and a folder.

use crate::site::PostgresSite;
use crate::support::crash_matrix::{Work, exhaust};

#[test]
fn every_write_of_a_publication_may_be_the_last() {
    let writes = exhaust(&PostgresSite::start(), Work::Files, 1);
    assert!(
        writes > 20,
        "a publication of three files has {writes} writes"
    );
}

#[test]
fn every_ninth_write_of_a_rotation_may_be_the_last() {
    let writes = exhaust(&PostgresSite::start(), Work::Rotation, 9);
    assert!(writes > 40, "a rotation signs 16 bins: {writes} writes");
}

#[test]
fn every_nineteenth_write_of_a_rebin_may_be_the_last() {
    let writes = exhaust(&PostgresSite::start(), Work::Rebin, 19);
    assert!(writes > 80, "a rebin signs 64 bins: {writes} writes");
}

#[test]
fn every_third_write_of_a_sweep_may_be_the_last() {
    let writes = exhaust(&PostgresSite::start(), Work::Sweep, 3);
    assert!(writes > 10, "a sweep has {writes} writes");
}
