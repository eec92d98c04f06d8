//! What more roles cost those who read them: an entry each in the snapshot, which every client fetches.

use crate::lints::ENVELOPE_BYTES;

/// Bytes of a snapshot's entry besides the role's name: version, length, SHA-256 and punctuation, the
/// numbers as long as they get.
pub const ENTRY_BYTES: u64 = 144;

/// Bytes that a snapshot grows by when it lists roles of these names, too; never less.
#[must_use]
pub fn snapshot_growth<'a>(names: impl IntoIterator<Item = &'a str>) -> u64 {
    let entry = |name: &str| ENTRY_BYTES + name.len() as u64;
    names.into_iter().map(entry).sum()
}

/// Bytes of a snapshot of now `published` bytes that lists roles of these names, too, as the rule
/// `snapshot-head-room` counts them: with room for signatures.
#[must_use]
pub fn snapshot_bytes_with<'a>(published: u64, names: impl IntoIterator<Item = &'a str>) -> u64 {
    let growth = snapshot_growth(names);
    published
        .saturating_add(growth)
        .saturating_add(ENVELOPE_BYTES)
}

#[cfg(test)]
mod tests {
    use metadata::{Document, Expiry, MetaFile, Role, Sha256, Snapshot, Version};

    use super::*;
    use crate::lints::samples::now;

    #[test]
    fn a_snapshot_never_grows_by_more_than_was_said() {
        let mut snapshot = Snapshot::new(Version::FIRST, Expiry::at(now()));
        let before = snapshot.to_canonical().len() as u64;
        let names = ["claimed", "claimed-00", "project-a--b"];
        for name in names {
            let largest = MetaFile {
                version: Version::new((1 << 53) - 1).unwrap(),
                length: Some(4_294_967_295),
                hashes: Some(metadata::Hashes::sha256(Sha256::of(b""))),
            };
            snapshot.set(&Role::parse(name).unwrap(), largest);
        }
        let grown = snapshot.to_canonical().len() as u64 - before;
        let said = snapshot_growth(names);
        assert!(grown <= said && said < grown + 30, "{grown} and {said}");
    }
}
