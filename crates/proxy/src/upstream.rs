//! One signed index: its session in force, and refreshing it.

use std::future::Future;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use client::{ClientError, Kind, Session, Updater};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::problem::Problem;
use crate::project_list::ProjectList;
use crate::state::Common;
use crate::views::Views;

/// Least time between two tries while nothing can be served, so that a burst of requests is one try.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A signed index behind a proxy. Every page and file of it that is served is of a verified session;
/// there is no fallback.
pub(crate) struct Upstream {
    common: Arc<Common>,
    name: String,
    updater: Updater,
    current: Mutex<Current>,
    /// Held while the index is asked: one refresh at a time.
    gate: tokio::sync::Mutex<()>,
    /// Told whenever a refresh ends.
    finished: watch::Sender<()>,
    pub(crate) views: Views,
    pub(crate) list: ProjectList,
}

impl Deref for Upstream {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

/// The last session, and what came of the last refresh.
#[derive(Default)]
struct Current {
    session: Option<Arc<Session>>,
    tried: Option<Instant>,
    asked: Option<Instant>,
    /// When the refresh under way was started.
    running: Option<Instant>,
    problem: Option<Problem>,
}

impl Upstream {
    pub(crate) fn new(common: Arc<Common>, name: String, updater: Updater) -> Self {
        let views = Views::within(common.config().limits.page_memory_bytes);
        Self {
            common,
            name,
            updater,
            current: Mutex::default(),
            gate: tokio::sync::Mutex::default(),
            finished: watch::Sender::default(),
            views,
            list: ProjectList::default(),
        }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Why the last refresh failed, if it did.
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.current().problem.clone()
    }

    /// The session in force: at most one refresh an interval, shared by all requests.
    ///
    /// While refreshing fails, whatever the reason, the last verified state stays in force until the
    /// first of its top-level roles expires; then nothing is served. A state is served whole or not
    /// at all: a refresh that fails half-way changes nothing here.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<Arc<Session>, Problem> {
        let interval = self.config().limits.refresh_interval;
        let (valid, age, running) = {
            let mut current = self.current();
            current.asked = Some(Instant::now());
            (current.valid(self.now()), current.age(), current.running)
        };
        match (valid, age) {
            (Some(session), Some(age)) if age < interval => Ok(session),
            // Young enough to be served while the next one is fetched.
            (Some(session), Some(age)) if age < 2 * interval => {
                drop(self.joined());
                Ok(session)
            }
            (Some(_), _) => {
                let waited = running.map_or(Duration::ZERO, |since| since.elapsed());
                let left = self.config().limits.refresh_wait.saturating_sub(waited);
                let _ = timeout(left, self.joined()).await;
                self.answer()
            }
            (None, Some(age)) if age < interval.min(AFTER_FAILURE) && self.problem().is_some() => {
                self.answer()
            }
            (None, _) => {
                self.joined().await;
                self.answer()
            }
        }
    }

    /// Refreshes for the first time. Fails only where this machine stands in the way and nothing
    /// verified is held: an index that cannot be reached yet is asked again with the first request.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), ClientError> {
        match self.refresh(Instant::now()).await {
            Err(error) if error.kind() == Kind::Local && self.answer().is_err() => Err(error),
            _ => Ok(()),
        }
    }

    /// Keeps the state fresh, so that requests need not wait: each interval while there are some,
    /// now and then while there are none. Never returns.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        let interval = self.config().limits.refresh_interval.max(AFTER_FAILURE);
        loop {
            tokio::time::sleep(interval).await;
            let (age, is_asked) = {
                let current = self.current();
                let asked = current.asked.map(|at| at.elapsed());
                (
                    current.age(),
                    asked.is_some_and(|asked| asked < 2 * interval),
                )
            };
            let due = if is_asked {
                interval
            } else {
                self.config().limits.idle_interval
            };
            if age.is_none_or(|age| age >= due) {
                let _ = self.refresh(Instant::now()).await;
            }
        }
    }

    /// Runs `work` with the session in force, and once more with a newer one if a file it leads to
    /// has been swept meanwhile (PEP 458 "Consistent Snapshots").
    pub(crate) async fn with_session<T, F>(
        self: &Arc<Self>,
        work: impl Fn(Arc<Session>) -> F,
    ) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        let session = self.session().await?;
        let problem = match work(Arc::clone(&session)).await {
            Ok(done) => return Ok(done),
            Err(problem) => problem,
        };
        match self.newer_than(&session).await {
            Some(newer) => work(newer).await,
            None => Err(problem),
        }
    }

    /// A session of a newer timestamp, if `session` has missed files and there is one.
    async fn newer_than(self: &Arc<Self>, session: &Arc<Session>) -> Option<Arc<Session>> {
        if !session.has_vanished() {
            return None;
        }
        let (is_current, is_recent) = {
            let current = self.current();
            let held = current.session.as_ref();
            let is_current = held.is_some_and(|it| Arc::ptr_eq(it, session));
            (
                is_current,
                current.age().is_some_and(|age| age < AFTER_FAILURE),
            )
        };
        if is_current && !is_recent {
            self.joined().await;
        }
        let newer = self.answer().ok()?;
        let version = |session: &Session| session.snapped().timestamp().version;
        (version(&newer) > version(session)).then_some(newer)
    }

    /// The end of the refresh under way; of a new one if there is none. It runs in a task of its own:
    /// a request that is given up does not break it off.
    fn joined(self: &Arc<Self>) -> impl Future<Output = ()> + use<> {
        // Subscribed while the lock is held: the end cannot come in between.
        let mut current = self.current();
        let mut finished = self.finished.subscribe();
        if current.running.is_none() {
            let (upstream, due) = (Arc::clone(self), Instant::now());
            current.running = Some(due);
            // What comes of it is kept there.
            tokio::spawn(async move { drop(upstream.refresh(due).await) });
        }
        async move { drop(finished.changed().await) }
    }

    /// Asks the index, unless somebody has since `due`.
    async fn refresh(&self, due: Instant) -> Result<(), ClientError> {
        let _alone = self.gate.lock().await;
        let _running = Running::of(self);
        if self.current().tried.is_some_and(|tried| tried > due) {
            return Ok(());
        }
        let now = self.now();
        let refreshed = self.updater.refresh(now).await;
        let held = match &refreshed {
            Err(_) if self.current().session.is_none() => self.updater.resume(now).await.ok(),
            _ => None,
        };
        let mut current = self.current();
        current.tried = Some(Instant::now());
        match refreshed {
            Ok(session) => {
                current.session = Some(Arc::new(session));
                current.problem = None;
                Ok(())
            }
            Err(error) => {
                if let Some(held) = held {
                    current.session = Some(Arc::new(held));
                }
                let problem = Problem::from(&error);
                let reason = problem.reason();
                if current.valid(now).is_some() {
                    tracing::warn!(%reason, "refresh failed, the last verified state is served");
                } else {
                    tracing::warn!(%reason, hint = problem.hint, "nothing can be verified yet");
                }
                current.problem = Some(problem);
                Err(error)
            }
        }
    }

    fn answer(&self) -> Result<Arc<Session>, Problem> {
        let current = self.current();
        let refused = || {
            let unknown = || Problem::internal("there is no session in force");
            current.problem.clone().unwrap_or_else(unknown)
        };
        current.valid(self.now()).ok_or_else(refused)
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that a refresh runs, for as long as it does.
struct Running<'a>(&'a Upstream);

impl<'a> Running<'a> {
    fn of(upstream: &'a Upstream) -> Self {
        upstream.current().running.get_or_insert_with(Instant::now);
        Self(upstream)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.current().running = None;
        self.0.finished.send_replace(());
    }
}

impl Current {
    fn valid(&self, now: DateTime<Utc>) -> Option<Arc<Session>> {
        let session = self.session.as_ref()?;
        (now < session.valid_until()).then(|| Arc::clone(session))
    }

    /// Time since the index was last asked.
    fn age(&self) -> Option<Duration> {
        self.tried.map(|tried| tried.elapsed())
    }
}
