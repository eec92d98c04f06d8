//! Publishes a rehearsed batch, in this order:
//!
//! 1. Journal the exact bytes and give their versions out. Die before this line and nothing happened;
//!    die after it and [`crate::recover`] finishes the work or burns the numbers.
//! 2. Put target files, pages, snapshot deltas, bins, offline roles but roots, snapshot: all immutable, none referenced
//!    yet. If we die among them, no client notices; putting them again changes nothing.
//! 3. Flush: what comes next must not outlive what it names.
//! 4. Move the head, compare-and-swap: the commit point. Die before it and the work can still be
//!    burned; die after it and it must be finished, because its versions count as published.
//! 5. Put new roots, then `timestamp.json`, and flush: clients see the new snapshot. Die before it and
//!    clients keep the old state, whose files are all still there. Die between the two, while a root
//!    changes the timestamp key without overlap, and clients wait until we start again.
//! 6. Put the pages of the plain mirror and flush. Die among them and they are put again.
//! 7. Forget the journalled work. Die before this line and steps 5 and 6 are repeated, with the same
//!    bytes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};

use metadata::Role;

use crate::error::{RepositoryError, StoreError};
use crate::pages::Applied;
use crate::record::{Object, Phase, Source, Staged};
use crate::rehearse::Rehearsed;
use crate::repository::{Repository, Stage, incoming_path};
use crate::state::State;
use crate::store::{Store, StorePath};

/// Whether the head has moved to the work being finished.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadIs {
    /// Steps 2 to 7 are left.
    Before,
    /// The same after a crash. A loss of power may have left names without their bytes, and nothing
    /// published refers to them: what differs from the journal is put again over them.
    BeforeAgain,
    /// Steps 5 to 7 are left.
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

    /// Steps 2 to 7, or what is left of them: for publishing and for recovery alike.
    pub(crate) fn finish(&mut self, staged: &Staged, head: HeadIs) -> Result<(), RepositoryError> {
        if head != HeadIs::Moved {
            self.put(staged, Phase::Immutable, head)?; // 2
            self.flush()?; // 3
            self.state.move_head(staged)?; // 4
            if staged.layout.is_some() {
                self.settings = self.state.settings()?;
            }
            self.seen = staged.base + 1;
        }
        self.put(staged, Phase::Root, head)?; // 5
        self.put(staged, Phase::Timestamp, head)?;
        self.flush()?;
        self.put(staged, Phase::Mirror, head)?; // 6
        self.flush()?;
        self.state.clear_staged()?; // 7
        forget_incoming(self.state.as_ref(), &self.incoming(), staged)
    }

    fn flush(&mut self) -> Result<(), RepositoryError> {
        self.at(Stage::Flushing, 0, 1);
        Ok(self.store.flush()?)
    }

    fn put(&mut self, staged: &Staged, phase: Phase, head: HeadIs) -> Result<(), RepositoryError> {
        let damaged = |path: &str| RepositoryError::Damaged {
            what: format!("object {path}"),
        };
        let incoming = self.incoming();
        let objects = || staged.objects.iter().filter(|object| object.phase == phase);
        let count = objects().count() as u64;
        for (done, object) in objects().enumerate() {
            self.at(Stage::Putting, done as u64, count);
            let path = StorePath::parse(&object.path).ok_or_else(|| damaged(&object.path))?;
            let store = self.store.as_mut();
            let put = put_one(store, &incoming, object, &path, phase);
            match put {
                Err(RepositoryError::Store(StoreError::Conflict { .. }))
                    if head == HeadIs::BeforeAgain =>
                {
                    replace_one(store, &incoming, object, &path)?;
                }
                put => put?,
            }
        }
        Ok(())
    }
}

fn put_one(
    store: &mut dyn Store,
    incoming: &Path,
    object: &Object,
    path: &StorePath,
    phase: Phase,
) -> Result<(), RepositoryError> {
    match (&object.source, phase) {
        (Source::Bytes(bytes), Phase::Immutable | Phase::Root) => store.put_new(path, bytes)?,
        (Source::Bytes(bytes), _) => store.put_pointer(path, bytes)?,
        (Source::Incoming(digest), _) => {
            store.put_new_file(path, &incoming_path(incoming, digest))?;
        }
        (Source::Link(existing), _) => store.link(&linked(existing)?, path)?,
    }
    Ok(())
}

fn replace_one(
    store: &mut dyn Store,
    incoming: &Path,
    object: &Object,
    path: &StorePath,
) -> Result<(), RepositoryError> {
    tracing::warn!(%path, "replaced what a crash left damaged");
    match &object.source {
        Source::Bytes(bytes) => store.put_pointer(path, bytes)?,
        Source::Incoming(digest) => {
            store.replace_by_file(path, &incoming_path(incoming, digest))?;
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

/// Files taken in are in the store now, unless a change still waiting needs the same bytes (wheels of
/// one release share their metadata) or they were taken in again meanwhile. One that cannot be
/// removed costs space, nothing else.
fn forget_incoming(
    state: &dyn State,
    incoming: &Path,
    staged: &Staged,
) -> Result<(), RepositoryError> {
    let mut needed = BTreeSet::new();
    for queued in state.pending()? {
        needed.extend(queued.change.uploads());
    }
    for object in &staged.objects {
        let Source::Incoming(digest) = &object.source else {
            continue;
        };
        let path = incoming_path(incoming, digest);
        if needed.contains(digest) || taken_in_after(&path, staged) {
            continue;
        }
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "a published upload stays behind");
        }
    }
    Ok(())
}

/// Whether a file was written since the cycle was signed: then somebody is about to queue it.
fn taken_in_after(path: &Path, staged: &Staged) -> bool {
    fs::metadata(path)
        .and_then(|about| about.modified())
        .is_ok_and(|modified| DateTime::<Utc>::from(modified) > staged.signed)
}
