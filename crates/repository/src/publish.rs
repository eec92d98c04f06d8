//! Publishes a rehearsed batch, in this order:
//!
//! 1. Journal the exact bytes and give their versions out. Die before this line and nothing happened;
//!    die after it and [`crate::recover`] finishes the work or burns the numbers.
//! 2. Put target files, pages, snapshot deltas, bins, offline roles but roots, snapshot: all immutable, none referenced
//!    yet. If we die among them, no client notices; putting them again changes nothing.
//! 3. Flush: what comes next must not outlive what it names.
//! 4. Keep others from the pointers, or note what stands there now. Die here and nothing happened. A
//!    writer that sleeps before this line and wakes when another took its place is stopped by the next.
//! 5. Move the head, compare-and-swap, by the writer alone: the commit point. Die before it and the work
//!    can still be burned; die after it and it must be finished, because its versions count as published.
//! 6. Put new roots, then `timestamp.json`, and flush: clients see the new snapshot. Die before it and
//!    clients keep the old state, whose files are all still there. Die between the two, while a root
//!    changes the timestamp key without overlap, and clients wait until we start again.
//! 7. Put the pages of the plain mirror and flush. Die among them and they are put again.
//! 8. Forget the journalled work. Die before this line and steps 6 and 7 are repeated, with the same
//!    bytes.
//!
//! Where the writer is one by a lease, it can lose its place unawares. Steps 1, 5 and 8 then fail in the
//! state, which knows the lease. Step 2 does no harm: its objects are immutable and bear versions or
//! digests, and versions are given out once, in step 1, whoever is the writer.

use metadata::{Role, Sha256};
use std::collections::BTreeSet;

use crate::error::{RepositoryError, StoreError};
use crate::pages::Applied;
use crate::record::{Object, Phase, Source, Staged};
use crate::rehearse::Rehearsed;
use crate::repository::{Repository, Stage};
use crate::store::{Store, StorePath};
use crate::uploads::Uploads;

/// Whether the head has moved to the work being finished.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadIs {
    /// Steps 2 to 8 are left.
    Before,
    /// The same after a crash. A loss of power may have left names without their bytes, and nothing
    /// published refers to them: what differs from the journal is put again over them.
    BeforeAgain,
    /// Steps 4 and 6 to 8 are left.
    Moved,
}

/// Everything step 1 journals of a rehearsed batch.
pub(crate) fn stage_objects(rehearsed: &Rehearsed, applied: &mut Applied) -> Vec<Object> {
    let (mirror, mut objects): (Vec<_>, Vec<_>) = std::mem::take(&mut applied.objects)
        .into_iter()
        .partition(|object| object.phase == Phase::Mirror);
    let batch = rehearsed.batch();
    objects.extend(batch.deltas.iter().map(|delta| Object {
        phase: Phase::Immutable,
        path: delta.path.as_str().to_owned(),
        source: Source::Bytes(delta.bytes.clone()),
    }));
    for file in &batch.files {
        let Some(path) = StorePath::metadata(&file.file_name()) else {
            continue;
        };
        objects.push(Object {
            phase: match file.role() {
                Role::Root => Phase::Root,
                Role::Timestamp => Phase::Timestamp,
                _ => Phase::Immutable,
            },
            path: path.as_str().to_owned(),
            source: Source::Bytes(file.bytes().to_vec()),
        });
    }
    objects.extend(mirror);
    objects
}

impl Repository {
    /// Step 1, then the rest.
    pub(crate) fn publish(&mut self, staged: &Staged) -> Result<(), RepositoryError> {
        self.state.stage(staged)?; // 1
        self.finish(staged, HeadIs::Before)
    }

    /// Steps 2 to 8, or what is left of them: for publishing and for recovery alike.
    pub(crate) fn finish(&mut self, staged: &Staged, head: HeadIs) -> Result<(), RepositoryError> {
        self.steps(staged, head).map_err(|error| {
            // Who took the place of this writer may have finished its work, uploads included: then
            // that is what happened, whatever it looks like from here.
            match self.state.check_writer() {
                Err(lost @ RepositoryError::LeaseLost { .. }) => lost,
                _ => error,
            }
        })
    }

    fn steps(&mut self, staged: &Staged, head: HeadIs) -> Result<(), RepositoryError> {
        if head != HeadIs::Moved {
            self.put(staged, Phase::Immutable, head)?; // 2
            self.flush()?; // 3
        }
        self.store.begin_pointers()?; // 4
        let pointed = self.point(staged, head);
        self.store.end_pointers();
        pointed?;
        self.state.clear_staged()?; // 8
        self.forget_incoming(staged)
    }

    /// Steps 5 to 7, between the beginning and the end of the pointers.
    fn point(&mut self, staged: &Staged, head: HeadIs) -> Result<(), RepositoryError> {
        if head == HeadIs::Moved {
            self.state.check_writer()?;
        } else {
            self.state.move_head(staged)?; // 5
            if staged.layout.is_some() || staged.recovered.is_some() {
                self.settings = self.state.settings()?;
            }
            self.seen = staged.base + 1;
        }
        self.put(staged, Phase::Root, head)?; // 6
        self.put(staged, Phase::Timestamp, head)?;
        self.flush()?;
        self.put(staged, Phase::Mirror, head)?; // 7
        self.flush()
    }

    fn flush(&mut self) -> Result<(), RepositoryError> {
        self.at(Stage::Flushing, 0, 1);
        Ok(self.store.flush()?)
    }

    fn put(&mut self, staged: &Staged, phase: Phase, head: HeadIs) -> Result<(), RepositoryError> {
        let damaged = |path: &str| RepositoryError::Damaged {
            what: format!("object {path}"),
        };
        let objects = || staged.objects.iter().filter(|object| object.phase == phase);
        let count = objects().count() as u64;
        for (done, object) in objects().enumerate() {
            self.at(Stage::Putting, done as u64, count);
            let path = StorePath::parse(&object.path).ok_or_else(|| damaged(&object.path))?;
            let (store, uploads) = (self.store.as_mut(), self.uploads.as_ref());
            let put = put_one(store, uploads, object, &path, phase);
            match put {
                // A store that writes in parallel may say here what became of another object.
                Err(RepositoryError::Store(StoreError::Conflict { path: which }))
                    if head == HeadIs::BeforeAgain && which == path =>
                {
                    replace_one(store, uploads, object, &path)?;
                }
                put => put?,
            }
        }
        Ok(())
    }
}

impl Repository {
    /// Files taken in are in the store now, unless a change still waiting needs the same bytes (wheels of
    /// one release share their metadata) or they were taken in again meanwhile. One that cannot be
    /// removed costs space, nothing else.
    fn forget_incoming(&self, staged: &Staged) -> Result<(), RepositoryError> {
        let mut published = staged
            .objects
            .iter()
            .filter_map(|object| match &object.source {
                Source::Incoming(digest) => Some(*digest),
                _ => None,
            })
            .peekable();
        if published.peek().is_none() {
            return Ok(());
        }
        let mut needed = BTreeSet::new();
        for queued in self.state.pending()? {
            needed.extend(queued.change.uploads());
        }
        for digest in published {
            if needed.contains(&digest) || self.is_taken_in_after(&digest, staged) {
                continue;
            }
            if let Err(error) = self.uploads.remove(&digest.to_string()) {
                tracing::warn!(%digest, %error, "a published upload stays behind");
            }
        }
        Ok(())
    }

    /// Whether an upload was written since the cycle was signed: then somebody is about to queue it.
    fn is_taken_in_after(&self, digest: &Sha256, staged: &Staged) -> bool {
        let written = self.uploads.written(digest);
        written.is_ok_and(|written| written.is_some_and(|written| written > staged.signed))
    }
}

fn put_one(
    store: &mut dyn Store,
    uploads: &dyn Uploads,
    object: &Object,
    path: &StorePath,
    phase: Phase,
) -> Result<(), RepositoryError> {
    match (&object.source, phase) {
        (Source::Bytes(bytes), Phase::Immutable | Phase::Root) => store.put_new(path, bytes)?,
        (Source::Bytes(bytes), _) => store.put_pointer(path, bytes)?,
        (Source::Incoming(digest), _) => {
            store.put_new_upload(path, &uploads.place(digest))?;
        }
        (Source::Link(existing), _) => store.link(&linked(existing)?, path)?,
    }
    Ok(())
}

fn replace_one(
    store: &mut dyn Store,
    uploads: &dyn Uploads,
    object: &Object,
    path: &StorePath,
) -> Result<(), RepositoryError> {
    tracing::warn!(%path, "replaced what a crash left damaged");
    match &object.source {
        Source::Bytes(bytes) => store.put_pointer(path, bytes)?,
        Source::Incoming(digest) => {
            store.replace_by_upload(path, &uploads.place(digest))?;
        }
        Source::Link(existing) => store.relink(&linked(existing)?, path)?,
    }
    Ok(())
}

fn linked(existing: &str) -> Result<StorePath, RepositoryError> {
    StorePath::parse(existing).ok_or_else(|| RepositoryError::Damaged {
        what: format!("object {existing}"),
    })
}
