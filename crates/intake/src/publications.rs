//! Wakes those who wait for a publication: one look at the head for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::pool::Pool;

/// How often the head is looked at while anybody waits.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Looks after which whoever waits asks again in any case: a refusal moves no head.
const ASK_AGAIN: u64 = 5;

pub(crate) struct Publications {
    waiting: Arc<AtomicUsize>,
    heard: watch::Receiver<u64>,
}

/// Counts somebody who waits.
struct Waiter(Arc<AtomicUsize>);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Publications {
    /// Starts to look; ends with the last receiver.
    pub(crate) fn watch(pool: Arc<Pool>) -> Self {
        let waiting = Arc::new(AtomicUsize::new(0));
        let (sender, heard) = watch::channel(0);
        tokio::spawn(look(pool, Arc::clone(&waiting), sender));
        Self { waiting, heard }
    }

    /// Returns when something may have been published since `seen`, or after a while; says what to
    /// give the next time.
    pub(crate) async fn next(&self, seen: u64) -> u64 {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiter = Waiter(Arc::clone(&self.waiting));
        let mut heard = self.heard.clone();
        match heard.wait_for(|count| *count != seen).await {
            Ok(count) => *count,
            Err(_) => seen,
        }
    }

    /// What to give the first time.
    pub(crate) fn seen(&self) -> u64 {
        *self.heard.borrow()
    }
}

async fn look(pool: Arc<Pool>, waiting: Arc<AtomicUsize>, sender: watch::Sender<u64>) {
    let (mut last, mut looks) = (None, 0);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if sender.is_closed() {
            return;
        }
        if waiting.load(Ordering::Relaxed) == 0 {
            continue;
        }
        looks += 1;
        let Ok(generation) = pool.run(|repository| repository.generation()).await else {
            continue;
        };
        // The head moves before the timestamp is there, so one look more.
        if last != Some(generation) || looks % ASK_AGAIN == 0 {
            last = Some(generation);
            sender.send_modify(|count| *count += 1);
        }
    }
}
