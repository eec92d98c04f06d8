//! What all requests share: one verified session at a time, the cache, the verdict.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use client::{ClientError, Kind, Session, Updater};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cache::Cache;
use crate::problem::Problem;
use crate::verdict::{Recorder, Verdict};
use crate::views::Views;

/// Least time between two tries after a failed refresh, so that a burst of requests is one try.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The state as handlers get it.
pub type SharedState = Arc<ProxyState>;

/// How a proxy works.
#[derive(Clone)]
pub struct ProxyConfig {
    /// Folder of verified files; made if missing, readable by this user only.
    pub cache_dir: PathBuf,
    /// Bytes of verified files kept from one run to the next, oldest removed first.
    pub cache_limit: u64,
    /// How long a session is used before the index is asked for a newer one.
    pub refresh_interval: Duration,
    /// Host names, beside those of loopback, under which the proxy is reached.
    pub allowed_hosts: Vec<String>,
    /// The clock that expiries are held against.
    pub clock: Clock,
}

impl ProxyConfig {
    /// Refreshes every 10 s, keeps 10 GB, serves loopback, by the machine's clock.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            cache_limit: 10_000_000_000,
            refresh_interval: Duration::from_secs(10),
            allowed_hosts: Vec::new(),
            clock: Arc::new(Utc::now),
        }
    }
}

/// A proxy's state. Every page and file it serves is of a verified session; there is no fallback.
pub struct ProxyState {
    config: ProxyConfig,
    updater: Updater,
    current: Mutex<Current>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) views: Views,
    pub(crate) recorder: Recorder,
}

/// The last session, and what came of the last refresh.
#[derive(Default)]
struct Current {
    session: Option<Arc<Session>>,
    refreshed: Option<Instant>,
    problem: Option<Problem>,
}

impl ProxyState {
    /// Sets up a proxy; nothing is fetched yet.
    pub fn new(updater: Updater, config: ProxyConfig) -> Result<SharedState, ClientError> {
        let cache = Cache::open(&config.cache_dir, config.cache_limit)?;
        Ok(Arc::new(Self {
            cache: Arc::new(cache),
            views: Views::default(),
            recorder: Recorder::default(),
            current: Mutex::default(),
            config,
            updater,
        }))
    }

    /// How it works.
    #[must_use]
    pub fn config(&self) -> &ProxyConfig {
        &self.config
    }

    /// What was served and refused so far.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.recorder.verdict()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.config.clock)()
    }

    /// The session in force: at most one refresh an interval, shared by all requests.
    ///
    /// When the index cannot be reached or the datastore not used, the session before stays in force until the first of its
    /// top-level roles expires. When what it serves is refused, nothing is served: an attack is
    /// reported, not waited out.
    pub async fn session(&self) -> Result<Arc<Session>, Problem> {
        let mut current = self.current.lock().await;
        let age = current.refreshed.map(|at| at.elapsed());
        let interval = match current.problem {
            None => self.config.refresh_interval,
            Some(_) => self.config.refresh_interval.min(AFTER_FAILURE),
        };
        if age.is_none_or(|age| age >= interval) || !current.is_valid(self.now()) {
            self.refresh(&mut current).await;
        }
        current.answer(self.now())
    }

    /// Runs `work` with the session in force, and once more with a newer one if a file it leads to
    /// has been swept meanwhile (PEP 458 "Consistent Snapshots").
    pub(crate) async fn with_session<T, F>(
        &self,
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
    async fn newer_than(&self, session: &Arc<Session>) -> Option<Arc<Session>> {
        if !session.has_vanished() {
            return None;
        }
        let mut current = self.current.lock().await;
        let is_current = current
            .session
            .as_ref()
            .is_some_and(|it| Arc::ptr_eq(it, session));
        let recent = current
            .refreshed
            .is_some_and(|at| at.elapsed() < AFTER_FAILURE);
        if is_current && !recent {
            self.refresh(&mut current).await;
        }
        let newer = current.answer(self.now()).ok()?;
        let version = |session: &Session| session.snapped().timestamp().version;
        (version(&newer) > version(session)).then_some(newer)
    }

    async fn refresh(&self, current: &mut Current) {
        let refreshed = self.updater.refresh(self.now()).await;
        current.refreshed = Some(Instant::now());
        match refreshed {
            Ok(session) => {
                current.session = Some(Arc::new(session));
                current.problem = None;
            }
            Err(error) => {
                let problem = Problem::from(&error);
                if is_passing(&error) && current.is_valid(self.now()) {
                    tracing::warn!(detail = %problem.detail, "refresh failed, using the last session");
                    return;
                }
                tracing::warn!(reason = %problem.reason(), "refresh refused");
                current.session = None;
                current.problem = Some(problem);
            }
        }
    }
}

/// Whether a failure says nothing against the session before: the index was not reached, another
/// process updates, or this machine's disk failed.
fn is_passing(error: &ClientError) -> bool {
    error.kind() == Kind::Network
        || matches!(error, ClientError::Busy { .. } | ClientError::File { .. })
}

impl Current {
    fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.problem.is_some()
            || self
                .session
                .as_ref()
                .is_some_and(|session| now < session.valid_until())
    }

    fn answer(&self, now: DateTime<Utc>) -> Result<Arc<Session>, Problem> {
        match (&self.problem, &self.session) {
            (Some(problem), _) => Err(problem.clone()),
            (None, Some(session)) if now < session.valid_until() => Ok(Arc::clone(session)),
            _ => Err(Problem::internal("there is no session in force")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_or_failing_datastore_is_bridged_and_another_root_is_not() {
        let path = PathBuf::from("md");
        let failing = ClientError::File {
            path: path.clone(),
            action: "read",
            source: std::io::ErrorKind::StorageFull.into(),
        };
        assert!(is_passing(&ClientError::Busy { path: path.clone() }));
        assert!(is_passing(&failing));
        assert!(!is_passing(&ClientError::NoRoot { path }));
    }
}
