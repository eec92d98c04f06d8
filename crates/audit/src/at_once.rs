//! Keeps a few futures running at the same time, their results in the order they were started.
//!
//! `StreamExt::buffered` does the same, but holds the closure that starts them across every await,
//! and the compiler then no longer sees that an audit can move between threads.

use std::future::Future;

use futures_util::stream::FuturesOrdered;

use crate::limits::AT_ONCE;

/// Starts as many of the next items as may run beside those that still do.
pub(crate) fn fill<T, F: Future>(
    running: &mut FuturesOrdered<F>,
    next: &mut impl Iterator<Item = T>,
    start: impl Fn(T) -> F,
) {
    while running.len() < AT_ONCE
        && let Some(item) = next.next()
    {
        running.push_back(start(item));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn all_run_a_few_at_a_time_and_in_order() {
        let (mut next, mut running) = (0..100, FuturesOrdered::new());
        let mut done = Vec::new();
        loop {
            fill(&mut running, &mut next, |item| async move {
                // The first of each few takes longest.
                for _ in 0..(100 - item) {
                    tokio::task::yield_now().await;
                }
                item
            });
            assert!(running.len() <= AT_ONCE);
            let Some(item) = running.next().await else {
                break;
            };
            done.push(item);
        }
        assert_eq!(done, (0..100).collect::<Vec<_>>());
    }
}
