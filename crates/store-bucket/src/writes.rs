//! Writes under way: bounded in number and in bytes, all of them done when a flush returns.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use repository::{StoreError, StorePath};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::error::Fault;
use crate::worker::Worker;

/// Bytes are counted in units of this many.
const UNIT: u64 = 1024;

/// What a write holds while it is under way.
pub(crate) type Room = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// Writes under way.
pub(crate) struct Writes {
    tasks: JoinSet<Result<(), StoreError>>,
    /// Objects that may be replaced and are being written: two writes of one must not overtake each other.
    pointers: BTreeSet<StorePath>,
    slots: Arc<Semaphore>,
    room: Arc<Semaphore>,
    units: u32,
}

impl Writes {
    pub(crate) fn new(at_once: usize, bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        Self {
            tasks: JoinSet::new(),
            pointers: BTreeSet::new(),
            slots: Arc::new(Semaphore::new(at_once)),
            room: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Waits until there is room for one more write that holds so many bytes; more than there is room for
    /// in all waits until it is alone.
    pub(crate) fn room(&self, worker: &Worker, bytes: u64) -> Result<Room, StoreError> {
        let units =
            u32::try_from(bytes / UNIT + 1).map_or(self.units, |units| units.min(self.units));
        let (slots, room) = (Arc::clone(&self.slots), Arc::clone(&self.room));
        let acquired = worker.run(async move {
            let slot = slots.acquire_owned().await.ok()?;
            Some((slot, room.acquire_many_owned(units).await.ok()?))
        });
        acquired.flatten().ok_or_else(given_up)
    }

    /// Begins a write; what an earlier one came to is said here or at the flush.
    pub(crate) fn begin(
        &mut self,
        worker: &Worker,
        room: Room,
        write: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) -> Result<(), StoreError> {
        let handle = worker.handle().ok_or_else(given_up)?;
        let task = async move {
            let _room = room;
            write.await
        };
        self.tasks.spawn_on(task, handle);
        while let Some(done) = self.tasks.try_join_next() {
            if let Err(error) = done.map_err(|_| given_up()).flatten() {
                self.give_up();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Notes that a pointer is being written; says whether it was already.
    pub(crate) fn note_pointer(&mut self, path: &StorePath) -> bool {
        !self.pointers.insert(path.clone())
    }

    /// Waits for all writes; the first failure gives up the others.
    pub(crate) fn finish(&mut self, worker: &Worker) -> Result<(), StoreError> {
        self.pointers.clear();
        if self.tasks.is_empty() {
            return Ok(());
        }
        let mut tasks = std::mem::take(&mut self.tasks);
        let finished = worker.run(async move {
            while let Some(done) = tasks.join_next().await {
                // Dropping the rest ends it.
                done.map_err(|_| given_up()).flatten()?;
            }
            Ok(())
        });
        finished.unwrap_or_else(|| Err(given_up()))
    }

    /// Ends what is under way. What the bucket has taken by then stays, as after a crash.
    fn give_up(&mut self) {
        self.tasks = JoinSet::new();
        self.pointers.clear();
    }
}

fn given_up() -> StoreError {
    StoreError::Flush {
        source: std::io::Error::other(Fault::panicked()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_are_under_way_than_there_is_room_for() {
        let worker = Worker::start().unwrap();
        let mut writes = Writes::new(8, 3 * UNIT);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..64 {
            let room = writes.room(&worker, 10).unwrap();
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            let write = async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            };
            writes.begin(&worker, room, write).unwrap();
        }
        // Larger than all the room there is: it waits until it is alone.
        drop(writes.room(&worker, 1 << 40).unwrap());
        writes.finish(&worker).unwrap();
        assert!(most.load(Ordering::SeqCst) <= 3);
    }

    #[test]
    fn a_failure_is_said_once_and_ends_the_rest() {
        let worker = Worker::start().unwrap();
        let mut writes = Writes::new(8, 8 * UNIT);
        let path = StorePath::parse("metadata/1.root.json").unwrap();
        for fails in [false, true, false] {
            let room = writes.room(&worker, 10).unwrap();
            let path = path.clone();
            let write = async move {
                if fails {
                    return Err(StoreError::Conflict { path });
                }
                Ok(())
            };
            if writes.begin(&worker, room, write).is_err() {
                return;
            }
        }
        let failed = writes.finish(&worker);
        assert!(
            matches!(failed, Err(StoreError::Conflict { .. })),
            "{failed:?}"
        );
        writes.finish(&worker).unwrap();
    }
}
