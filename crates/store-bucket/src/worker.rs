//! Threads of its own for the network, so that the store's callers may block: inside an async runtime of
//! any kind, or without one.

use std::future::Future;
use std::sync::mpsc;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::BucketError;

/// Threads that drive requests; callers have work of their own.
const THREADS: usize = 2;

/// Runs futures for callers that wait for them.
pub(crate) struct Worker {
    /// `None` only while dropping.
    runtime: Option<Runtime>,
}

impl Worker {
    pub(crate) fn start() -> Result<Self, BucketError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("bucket")
            .enable_all()
            .build()
            .map_err(|source| BucketError::Thread { source })?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Where tasks are spawned; none while dropping.
    pub(crate) fn handle(&self) -> Option<&Handle> {
        self.runtime.as_ref().map(Runtime::handle)
    }

    /// Waits for the future on this thread while the worker's drive it. `None` if it panicked.
    pub(crate) fn run<F>(&self, future: F) -> Option<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.handle()?.spawn(async move {
            // The caller waits below; it is gone only if its thread was.
            let _ = sender.send(future.await);
        });
        receiver.recv().ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Waiting for the threads is forbidden inside an async runtime, where a store may be dropped.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_inside_and_outside_of_runtimes() {
        let worker = Worker::start().unwrap();
        assert_eq!(worker.run(async { 7 }), Some(7));
        let current = Builder::new_current_thread().build().unwrap();
        // Also dropped inside.
        assert_eq!(
            current.block_on(async move { worker.run(async { 7 }) }),
            Some(7)
        );
    }

    #[test]
    fn a_future_that_panics_ends_its_caller_only() {
        let worker = Worker::start().unwrap();
        assert_eq!(worker.run(async { assert_eq!(1 + 1, 3) }), None);
        assert_eq!(worker.run(async { 7 }), Some(7));
    }
}
