//! A thread of its own for the network, so that callers may block: inside an async runtime of any
//! kind, or without one.

use std::future::Future;
use std::sync::mpsc;

use tokio::runtime::{Builder, Runtime};

use crate::KmsError;

/// Runs futures for callers that wait for them. Nothing but this crate's own futures runs here, so
/// no caller can keep another from being answered.
pub(crate) struct Worker {
    /// `None` only while dropping.
    runtime: Option<Runtime>,
}

impl Worker {
    pub(crate) fn start() -> Result<Self, KmsError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("aws-kms")
            .enable_all()
            .build()
            .map_err(|source| KmsError::Thread { source })?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Waits for the future on this thread while the worker's drives it.
    pub(crate) fn run<F>(&self, future: F) -> Result<F::Output, KmsError>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let runtime = self.runtime.as_ref().ok_or(KmsError::Ended)?;
        let (sender, receiver) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            // The caller waits below; it is gone only if its thread was.
            let _ = sender.send(future.await);
        });
        receiver.recv().map_err(|_| KmsError::Ended)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Waiting for the thread is forbidden inside an async runtime, where a signer may be dropped.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn answer() -> u32 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        7
    }

    #[test]
    fn answers_inside_and_outside_of_runtimes() {
        let worker = Worker::start().unwrap();
        assert_eq!(worker.run(answer()).unwrap(), 7);
        let current = Builder::new_current_thread().build().unwrap();
        // Also dropped inside.
        let outcome = current.block_on(async move { worker.run(answer()) });
        assert_eq!(outcome.unwrap(), 7);
    }

    #[test]
    fn a_future_that_panics_ends_its_caller_only() {
        let worker = Worker::start().unwrap();
        let failing = worker.run(async { assert_eq!(answer().await, 8) });
        assert!(matches!(failing, Err(KmsError::Ended)));
        assert_eq!(worker.run(answer()).unwrap(), 7);
    }
}
