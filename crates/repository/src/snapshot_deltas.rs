//! Deltas to a new snapshot from those that clients hold (decision 0021): made before anything is written, put
//! before the timestamp that lists them, swept with their snapshot.

use std::collections::BTreeMap;

use deltas::Listed;
use metadata::{Role, Root, Snapshot, Timestamp, Version, Wire};
use trust::{Authority, tally};

use crate::cores::on_all_cores;
use crate::error::RepositoryError;
use crate::repository::Repository;
use crate::store::StorePath;

/// A delta to the snapshot of its batch.
pub(crate) struct SnapshotDelta {
    pub(crate) from: Version,
    pub(crate) path: StorePath,
    pub(crate) bytes: Vec<u8>,
}

impl Repository {
    /// Deltas to `new`, the snapshot of that version, from as many before it as the policy says, down from `last`. From
    /// those alone that the store still has and that the snapshot's keys of now have signed: clients forget the others
    /// (TUF 5.3.11).
    pub(crate) fn snapshot_deltas(
        &self,
        (version, new): (Version, &[u8]),
        last: Option<Version>,
        root: &Root,
    ) -> Result<Vec<SnapshotDelta>, RepositoryError> {
        let (Some(policy), Some(last)) = (self.settings.policy.deltas, last) else {
            return Ok(Vec::new());
        };
        let mut held = Vec::new();
        for number in (1..=last.get()).rev().take(policy.snapshots as usize) {
            let from = Version::new(number)?;
            if let Some(old) = self.signed_snapshot(from, root)? {
                held.push((from, old));
            }
        }
        let made = on_all_cores(held, &|(from, old)| Ok(delta(from, &old, (version, new))))?;
        Ok(made.into_iter().flatten().collect())
    }

    /// A snapshot of before, as the store has it. What stands there instead of it is no reason to publish nothing.
    fn signed_snapshot(
        &self,
        version: Version,
        root: &Root,
    ) -> Result<Option<Vec<u8>>, RepositoryError> {
        let rules = self.rules();
        let name = Role::Snapshot.versioned_file_name(version);
        let path = StorePath::metadata(&name);
        let file = path.map(|path| self.store.get(&path, rules.limits.listed));
        let Some(file) = file.transpose()?.flatten() else {
            return Ok(None);
        };
        let is_signed = Wire::parse(&file, rules.limits.signatures).is_ok_and(|mut wire| {
            let authority = Authority::new("root", &root.keys, &root.snapshot);
            let tally = tally(&wire.canonical, &wire.signatures, &authority);
            let found = wire.document::<Snapshot>().map(|document| document.version);
            tally.is_met() && found.is_ok_and(|found| found == version)
        });
        Ok(is_signed.then_some(file))
    }
}

/// The delta between two snapshots, unless it saves less than half of the file: then it is not worth its place in
/// the timestamp. It is applied as clients will before anybody hears of it.
fn delta(from: Version, old: &[u8], (version, new): (Version, &[u8])) -> Option<SnapshotDelta> {
    let bytes = deltas::make(old, new).ok()?;
    let is_worth_it = bytes.len() * 2 <= new.len();
    let length = new.len() as u64;
    let comes_out = is_worth_it && deltas::apply(old, &bytes, length).is_ok_and(|out| out == new);
    let path = StorePath::metadata(&deltas::file_name(version, from))?;
    comes_out.then_some(SnapshotDelta { from, path, bytes })
}

/// What a timestamp lists of the deltas to the snapshot it names: the new ones, or with no new snapshot those that the
/// timestamp before it lists of the same.
pub(crate) fn list_deltas(
    timestamp: &mut Timestamp,
    new: &[SnapshotDelta],
    previous: Option<&Timestamp>,
) {
    let mut listed: BTreeMap<Version, Listed> = new
        .iter()
        .map(|delta| (delta.from, Listed::describing(&delta.bytes)))
        .collect();
    if let Some(previous) = previous.filter(|previous| previous.snapshot == timestamp.snapshot) {
        listed.extend(deltas::listed(previous));
    }
    deltas::list(timestamp, &listed);
}

/// The snapshot that a delta leads to, by its path: both are swept together.
pub(crate) fn snapshot_of(path: &StorePath) -> Option<StorePath> {
    let name = path.as_str().strip_prefix("metadata/deltas/")?;
    let version = name.split_once("-from-")?.0.parse().ok()?;
    let version = Version::new(version).ok()?;
    StorePath::metadata(&Role::Snapshot.versioned_file_name(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_leads_to_its_snapshot_and_nothing_else_does() {
        let of = |path: &str| snapshot_of(&StorePath::parse(path).unwrap());
        let snapshot = StorePath::parse("metadata/12.snapshot.json").unwrap();
        let delta = "metadata/deltas/12-from-9.snapshot.zst";
        assert_eq!(of(delta), Some(snapshot));
        assert_eq!(of("metadata/deltas/x-from-9.snapshot.zst"), None);
        assert_eq!(of("metadata/12-from-9.snapshot.zst"), None);
        assert_eq!(of("metadata/12.snapshot.json"), None);
    }

    #[test]
    fn a_delta_that_saves_little_is_none() {
        let version = |number| Version::new(number).unwrap();
        // Nothing in them repeats.
        let digits = |from: u64| -> Vec<u8> {
            (from..from + 400)
                .flat_map(|i| metadata::Sha256::of(&i.to_be_bytes()).as_bytes().to_vec())
                .collect()
        };
        let (old, new) = (digits(0), digits(1_000));
        assert!(delta(version(1), &old, (version(2), &new)).is_none());
        let near = [&old[..], b"more"].concat();
        let made = delta(version(1), &old, (version(2), &near)).unwrap();
        assert!(made.bytes.len() < 100, "{}", made.bytes.len());
    }
}
