//! Open repositories for what only reads, or works on its own: no request waits for another's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use repository::{Repository, RepositoryError};
use tokio::sync::Semaphore;

use crate::problem::{Problem, in_one_line};
use crate::state::{OpenError, OpenRepository};

/// Repositories that are open at a time.
const OPEN: usize = 8;

/// How long one that was opened, or asked, is believed to have its state where it was: after a move what is
/// read at the old place is not what is so.
const ASKED_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Pool {
    open: OpenRepository,
    idle: Arc<Mutex<Vec<(Repository, Instant)>>>,
    places: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn new(open: OpenRepository) -> Self {
        Self {
            open,
            idle: Arc::default(),
            places: Arc::new(Semaphore::new(OPEN)),
        }
    }

    /// Does `work` with a repository, away from the threads that serve. One that failed is not used
    /// again.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Repository) -> Result<T, RepositoryError> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let (open, idle) = (Arc::clone(&self.open), Arc::clone(&self.idle));
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let taken = match taken {
                Some((repository, at)) if at.elapsed() < ASKED_EVERY => Some((repository, at)),
                Some((repository, _)) if repository.check_place().is_ok() => {
                    Some((repository, Instant::now()))
                }
                _ => None,
            };
            let (mut repository, at) = match taken {
                Some(taken) => taken,
                None => (open()?, Instant::now()),
            };
            let done = work(&mut repository)?;
            let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push((repository, at));
            Ok::<T, OpenError>(done)
        });
        match done.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                tracing::error!(
                    "a request could not be served: {}",
                    in_one_line(error.as_ref())
                );
                Err(Problem::failed())
            }
            Err(error) => {
                tracing::error!("a request could not be served: {error}");
                Err(Problem::failed())
            }
        }
    }
}
