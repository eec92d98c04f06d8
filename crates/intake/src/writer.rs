//! The one thread that queues: it takes all that has come in while the last transaction was synced, and
//! queues it in the next one. Under load many requests share one wait for the disk; alone, none waits
//! for others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use repository::{Repository, Submission, SubmissionAnswer};
use tokio::sync::{mpsc, oneshot};

use crate::metrics::Metrics;
use crate::problem::{Problem, in_one_line};
use crate::state::{OpenError, OpenRepository};

/// Most submissions in one transaction: it is over in a fraction of a second, and readers go on.
const BATCH: usize = 256;

/// Submissions that may wait for the writer; further ones wait outside.
const WAITING: usize = 1_024;

/// How often the waiting changes are counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);

struct Job {
    submission: Submission,
    answer: oneshot::Sender<SubmissionAnswer>,
}

/// Hands submissions to the thread.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Job>);

impl Writer {
    /// Starts the thread; it ends with the last handle.
    pub(crate) fn start(
        open: OpenRepository,
        clock: fn() -> DateTime<Utc>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let thread = Thread {
            open,
            clock,
            metrics,
            repository: None,
            counted: None,
        };
        std::thread::Builder::new()
            .name("intake-writer".to_owned())
            .spawn(move || thread.run(receiver))?;
        Ok(Self(sender))
    }

    /// Queues a submission. When this returns with a record, it survives a loss of power.
    pub(crate) async fn submit(&self, submission: Submission) -> Result<SubmissionAnswer, Problem> {
        let (answer, answered) = oneshot::channel();
        let job = Job { submission, answer };
        self.0.send(job).await.map_err(|_| Problem::failed())?;
        answered.await.map_err(|_| Problem::failed())
    }
}

struct Thread {
    open: OpenRepository,
    clock: fn() -> DateTime<Utc>,
    metrics: Arc<Metrics>,
    repository: Option<Repository>,
    counted: Option<Instant>,
}

impl Thread {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = jobs.try_recv()
            {
                batch.push(next);
            }
            let (submissions, answers): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .map(|job| (job.submission, job.answer))
                .unzip();
            match self.queue(submissions) {
                Ok(done) => {
                    for (answer, done) in answers.into_iter().zip(done) {
                        // Whoever asked may be gone; what was queued stays queued.
                        let _ = answer.send(done);
                    }
                }
                Err(error) => {
                    // Dropping the senders answers: nothing was acknowledged.
                    tracing::error!(
                        "a batch could not be queued: {}",
                        in_one_line(error.as_ref())
                    );
                    self.repository = None;
                }
            }
        }
    }

    fn queue(&mut self, submissions: Vec<Submission>) -> Result<Vec<SubmissionAnswer>, OpenError> {
        let mut repository = match self.repository.take() {
            Some(repository) => repository,
            None => (self.open)()?,
        };
        let done = repository.submit(submissions, (self.clock)())?;
        self.metrics.count_batch(&done);
        if self.counted.is_none_or(|at| at.elapsed() >= COUNT_EVERY) {
            self.metrics.waiting(repository.waiting()?);
            self.counted = Some(Instant::now());
        }
        self.repository = Some(repository);
        Ok(done)
    }
}
