//! Publishes a rehearsed batch, in this order:
//!
//! 1. Journal the exact bytes and give their versions out. Die before this line and nothing happened;
//!    die after it and [`crate::recover`] finishes the work or burns the numbers.
//! 2. Put target files, pages, bins, offline roles but roots, snapshot: all immutable, none referenced
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

use std::fs;
use std::path::Path;

use metadata::Role;

use crate::error::RepositoryError;
use crate::pages::Applied;
use crate::record::{Object, Phase, Source, Staged};
use crate::rehearse::Rehearsed;
use crate::repository::incoming_path;
use crate::state::State;
use crate::store::{Store, StorePath};

/// Whether the head has moved to the work being finished.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadIs {
    /// Steps 2 to 7 are left.
    Before,
    /// Steps 5 to 7 are left.
    Moved,
}

/// Everything step 1 journals of a rehearsed batch.
pub(crate) fn stage_objects(rehearsed: &Rehearsed, applied: &mut Applied) -> Vec<Object> {
    let (mirror, mut objects): (Vec<_>, Vec<_>) = std::mem::take(&mut applied.objects)
        .into_iter()
        .partition(|object| object.phase == Phase::Mirror);
    for file in &rehearsed.batch().files {
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

/// Step 1, then the rest.
pub(crate) fn publish(
    state: &mut dyn State,
    store: &mut dyn Store,
    incoming: &Path,
    staged: &Staged,
) -> Result<(), RepositoryError> {
    state.stage(staged)?; // 1
    finish(state, store, incoming, staged, HeadIs::Before)
}

/// Steps 2 to 7, or what is left of them: for publishing and for recovery alike.
pub(crate) fn finish(
    state: &mut dyn State,
    store: &mut dyn Store,
    incoming: &Path,
    staged: &Staged,
    head: HeadIs,
) -> Result<(), RepositoryError> {
    if head == HeadIs::Before {
        put(store, incoming, staged, Phase::Immutable)?; // 2
        store.flush()?; // 3
        state.move_head(staged)?; // 4
    }
    put(store, incoming, staged, Phase::Root)?; // 5
    put(store, incoming, staged, Phase::Timestamp)?;
    store.flush()?;
    put(store, incoming, staged, Phase::Mirror)?; // 6
    store.flush()?;
    state.clear_staged()?; // 7
    forget_incoming(incoming, staged);
    Ok(())
}

fn put(
    store: &mut dyn Store,
    incoming: &Path,
    staged: &Staged,
    phase: Phase,
) -> Result<(), RepositoryError> {
    let damaged = |path: &str| RepositoryError::Damaged {
        what: format!("object {path}"),
    };
    for object in staged.objects.iter().filter(|object| object.phase == phase) {
        let path = StorePath::parse(&object.path).ok_or_else(|| damaged(&object.path))?;
        match (&object.source, phase) {
            (Source::Bytes(bytes), Phase::Immutable | Phase::Root) => {
                store.put_new(&path, bytes)?;
            }
            (Source::Bytes(bytes), _) => store.put_pointer(&path, bytes)?,
            (Source::Incoming(digest), _) => {
                store.put_new_file(&path, &incoming_path(incoming, digest))?;
            }
            (Source::Link(existing), _) => {
                let existing = StorePath::parse(existing).ok_or_else(|| damaged(existing))?;
                store.link(&existing, &path)?;
            }
        }
    }
    Ok(())
}

/// Files taken in are in the store now. One that cannot be removed costs space, nothing else.
fn forget_incoming(incoming: &Path, staged: &Staged) {
    for object in &staged.objects {
        if let Source::Incoming(digest) = &object.source {
            let path = incoming_path(incoming, digest);
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "a published upload stays behind");
            }
        }
    }
}
