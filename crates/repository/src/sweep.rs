//! Mark and sweep (PEP 458 "Cleaning up old metadata"): deletes what no timestamp that a client may
//! still hold can lead to.
//!
//! Marked are: all roots, for ever; what the published timestamp names; what an earlier timestamp
//! names until the policy's `retention.snapshots` after that timestamp expired (reference F8); pointers
//! and pages of the plain mirror; work journalled and not finished. Objects go first, their records
//! after: if we die between, the next sweep finds records of nothing and forgets them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::RepositoryError;
use crate::record::Source;
use crate::repository::Repository;
use crate::snapshot_deltas::snapshot_of;
use crate::store::StorePath;

/// What a sweep deleted, or would delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Objects of the store, in order of their names.
    pub objects: Vec<StorePath>,
    /// Uploads that no change waits for any more.
    pub uploads: Vec<PathBuf>,
    /// How many objects stay.
    pub kept: usize,
}

/// How long an upload may lie without a change waiting for it: it may be still on its way in.
const UPLOAD_AGE: TimeDelta = TimeDelta::days(1);

/// What is decided from, read once.
struct Marks {
    /// Named by the published timestamp, by one that clients may still hold, or by unfinished work.
    kept: BTreeSet<StorePath>,
    /// Replaced so long ago that nobody can ask for them.
    dead: Vec<StorePath>,
    /// Whether objects of unknown origin may still be named.
    unknown_is_kept: bool,
}

impl Repository {
    /// Says what [`Repository::sweep`] would delete: reads only.
    pub fn plan_sweep(&self, now: DateTime<Utc>) -> Result<SweepReport, RepositoryError> {
        self.find_unmarked(&self.marks(now)?, now)
    }

    /// Deletes what no client can need any more.
    pub fn sweep(&mut self, now: DateTime<Utc>) -> Result<SweepReport, RepositoryError> {
        let _lock = self.lock()?;
        self.check_store()?;
        let marks = self.marks(now)?;
        let report = self.find_unmarked(&marks, now)?;
        for path in &report.objects {
            self.store.remove(path)?;
        }
        if !report.objects.is_empty() {
            self.store.flush()?;
        }
        if !marks.dead.is_empty() {
            let expired = now - self.settings.policy.retention.snapshots;
            self.state.forget(&marks.dead, expired)?;
        }
        for path in &report.uploads {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let removed = self.uploads.remove(&name);
            removed.map_err(self.uploads_failed("remove from"))?;
        }
        Ok(report)
    }

    fn marks(&self, now: DateTime<Utc>) -> Result<Marks, RepositoryError> {
        let history = self.state.history()?;
        let retention = self.settings.policy.retention.snapshots;
        let is_live = |until: DateTime<Utc>| until + retention >= now;
        let mut kept = history.named;
        let mut dead = Vec::new();
        // While timestamps of unknown life may be about, so may be more that name an object.
        let unknown_is_kept = history.unrecorded_until.is_some_and(is_live);
        for object in history.superseded {
            if unknown_is_kept || is_live(object.named_until) {
                kept.insert(object.path);
            } else {
                dead.push(object.path);
            }
        }
        if let Some((staged, _)) = self.state.staged()? {
            let paths = staged.objects.iter();
            kept.extend(paths.filter_map(|object| StorePath::parse(&object.path)));
        }
        Ok(Marks {
            kept,
            dead,
            unknown_is_kept,
        })
    }

    fn find_unmarked(
        &self,
        marks: &Marks,
        now: DateTime<Utc>,
    ) -> Result<SweepReport, RepositoryError> {
        let mut report = SweepReport::default();
        let dead: BTreeSet<&StorePath> = marks.dead.iter().collect();
        for path in self.store.list()? {
            // A delta stays as long as the snapshot it leads to.
            let named = snapshot_of(&path).unwrap_or_else(|| path.clone());
            let is_marked = marks.kept.contains(&named) || !is_swept(&path);
            let is_unknown = !dead.contains(&named);
            if is_marked || (is_unknown && marks.unknown_is_kept) {
                report.kept += 1;
            } else {
                report.objects.push(path);
            }
        }
        report.objects.sort();
        report.uploads = self.stray_uploads(now)?;
        Ok(report)
    }

    /// Uploads for which no change waits and no unfinished work.
    fn stray_uploads(&self, now: DateTime<Utc>) -> Result<Vec<PathBuf>, RepositoryError> {
        let mut wanted = BTreeSet::new();
        for queued in self.state.pending()? {
            let uploads = queued.change.uploads();
            wanted.extend(uploads.iter().map(ToString::to_string));
        }
        for object in self
            .state
            .staged()?
            .into_iter()
            .flat_map(|one| one.0.objects)
        {
            if let Source::Incoming(digest) = object.source {
                wanted.insert(digest.to_string());
            }
        }
        let all = self.uploads.list().map_err(self.uploads_failed("list"))?;
        let place = self.uploads.name();
        let mut strays: Vec<PathBuf> = all
            .into_iter()
            .filter(|one| now - one.written >= UPLOAD_AGE && !wanted.contains(&one.name))
            .map(|one| place.join(one.name))
            .collect();
        strays.sort();
        Ok(strays)
    }
}

/// Whether an object is of a kind that is ever deleted: metadata but roots and `timestamp.json`,
/// snapshot deltas, targets, distribution files. Pages of the plain mirror are replaced, and whatever else an operator
/// keeps in the folder is not ours.
fn is_swept(path: &StorePath) -> bool {
    match path.as_str().split_once('/') {
        Some(("metadata", name)) => {
            let role = name.split_once('.').map(|(_, role)| role);
            name != "timestamp.json" && role.is_some_and(|role| role != "root.json")
        }
        Some(("targets" | "packages", _)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_and_what_is_not_ours_are_never_swept() {
        let is_swept = |path: &str| is_swept(&StorePath::parse(path).unwrap());
        for kept in [
            "metadata/1.root.json",
            "metadata/timestamp.json",
            "simple/one/index.json",
            "robots.txt",
            "metadata/README",
        ] {
            assert!(!is_swept(kept), "{kept}");
        }
        for swept in [
            "metadata/1.bins-0.json",
            "metadata/7.snapshot.json",
            "metadata/deltas/7-from-6.snapshot.zst",
            "targets/simple/x",
        ] {
            assert!(is_swept(swept), "{swept}");
        }
    }
}
