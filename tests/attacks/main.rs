//! Attacks by name, each through the shipped client against the simulated repository, and each beside
//! the honest case that differs from it in the attack alone.

mod delegations;
mod deltas;
mod dependencies;
mod downloads;
mod encoding;
mod floors;
mod form;
mod graph;
mod honest;
mod kept;
mod keys;
mod limits;
mod names;
mod network;
mod pages;
mod root;
mod snapshot;
mod targets;
mod timestamp;
mod tls;

use countersign_tests::Key;
use metadata::{KeyId, Version};

/// A version.
fn v(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// The ids of keys.
fn ids(keys: &[Key]) -> Vec<KeyId> {
    keys.iter().map(|key| key.id().clone()).collect()
}
