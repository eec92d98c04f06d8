//! Work on all cores: bins are written and sealed independently of each other.

use crate::error::RepositoryError;

/// Does `work` to each, in order; on all cores where there is enough of it.
pub(crate) fn on_all_cores<T: Send, U: Send>(
    items: Vec<T>,
    work: &(impl Fn(T) -> Result<U, RepositoryError> + Sync),
) -> Result<Vec<U>, RepositoryError> {
    /// Less than this is done before a thread has started.
    const WORTH_A_THREAD: usize = 4;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(cores).max(WORTH_A_THREAD);
    if items.len() <= share {
        return items.into_iter().map(work).collect();
    }
    let mut items = items.into_iter();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        loop {
            let some: Vec<T> = items.by_ref().take(share).collect();
            if some.is_empty() {
                break;
            }
            let run = move || some.into_iter().map(work).collect::<Result<Vec<U>, _>>();
            threads.push(scope.spawn(run));
        }
        let mut done = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(results) => done.extend(results?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(done)
    })
}
