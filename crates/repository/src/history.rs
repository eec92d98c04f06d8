//! What published timestamps can still name.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::store::StorePath;

/// The marks of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Objects that the published timestamp names, through snapshot, bins and pages.
    pub named: BTreeSet<StorePath>,
    /// Objects that only earlier timestamps name.
    pub superseded: Vec<Superseded>,
    /// Until when objects that stand in neither list may be named all the same: they were published
    /// before the state kept this history, or after the backup it was restored from.
    pub unrecorded_until: Option<DateTime<Utc>>,
}

/// An object that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// Where it lies.
    pub path: StorePath,
    /// When the last timestamp expires that leads to it.
    pub named_until: DateTime<Utc>,
}
