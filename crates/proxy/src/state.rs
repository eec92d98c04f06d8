//! What all requests share: the upstreams and whose each project is, the cache, the verdict.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use client::{ClientError, Session, Updater};
use futures_util::future::join_all;
use index::ProjectName;
use tokio::sync::Semaphore;

use crate::cache::Cache;
use crate::config::ProxyConfig;
use crate::problem::Problem;
use crate::rules::{Rule, UpstreamRules};
use crate::upstream::Upstream;
use crate::verdict::{Recorder, Verdict};

/// The state as handlers get it.
pub type SharedState = Arc<ProxyState>;

/// A proxy's state.
pub struct ProxyState {
    pub(crate) common: Arc<Common>,
    rules: UpstreamRules,
    /// In the order of the rules' names.
    upstreams: Vec<Arc<Upstream>>,
}

/// What the upstreams share.
pub(crate) struct Common {
    config: ProxyConfig,
    pub(crate) cache: Arc<Cache>,
    pub(crate) recorder: Recorder,
    /// Places for connections to the index's own URLs over TLS.
    pub(crate) tunnels: Arc<Semaphore>,
}

impl Common {
    /// How the proxy works.
    pub(crate) fn config(&self) -> &ProxyConfig {
        &self.config
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.config.clock)()
    }
}

impl ProxyState {
    /// Sets up a proxy before one index; nothing is fetched yet.
    pub fn new(updater: Updater, config: ProxyConfig) -> Result<SharedState, ClientError> {
        Self::with(UpstreamRules::all_of("index"), vec![updater], config)
    }

    /// The same before the indexes that rules name; `updater` is asked for each once.
    pub fn before<E: From<ClientError>>(
        rules: UpstreamRules,
        updater: impl FnMut(&String) -> Result<Updater, E>,
        config: ProxyConfig,
    ) -> Result<SharedState, E> {
        let updaters = rules.names().iter().map(updater);
        let updaters = updaters.collect::<Result<Vec<_>, E>>()?;
        Ok(Self::with(rules, updaters, config)?)
    }

    fn with(
        rules: UpstreamRules,
        updaters: Vec<Updater>,
        config: ProxyConfig,
    ) -> Result<SharedState, ClientError> {
        let cache = Cache::open(&config.cache_dir, config.cache_limit)?;
        let common = Arc::new(Common {
            cache: Arc::new(cache),
            recorder: Recorder::default(),
            tunnels: Arc::new(Semaphore::new(config.connections.connections as usize)),
            config,
        });
        let named = rules.names().iter().zip(updaters);
        let upstreams = named.map(|(name, updater)| {
            let common = Arc::clone(&common);
            Arc::new(Upstream::new(common, name.clone(), updater))
        });
        Ok(Arc::new(Self {
            upstreams: upstreams.collect(),
            common,
            rules,
        }))
    }

    /// How it works.
    #[must_use]
    pub fn config(&self) -> &ProxyConfig {
        self.common.config()
    }

    /// What was served and refused so far.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.common.recorder.verdict()
    }

    /// Why the last refresh of an upstream failed, if one did.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        self.upstreams
            .iter()
            .find_map(|upstream| upstream.problem())
    }

    /// The session in force of each upstream, by its name.
    pub async fn sessions(&self) -> Vec<(&str, Result<Arc<Session>, Problem>)> {
        let asked = self.upstreams.iter().map(async |upstream| {
            let session = upstream.session().await;
            (upstream.name(), session)
        });
        join_all(asked).await
    }

    /// Refreshes all upstreams for the first time. Fails only where this machine stands in the way and
    /// nothing verified is held: an index that cannot be reached yet is asked again with the first
    /// request.
    pub async fn start(&self) -> Result<(), ClientError> {
        let started = join_all(self.upstreams.iter().map(Upstream::start)).await;
        started.into_iter().collect()
    }

    /// Keeps the upstreams fresh, so that requests need not wait. Never returns.
    pub async fn keep_fresh(self: Arc<Self>) {
        let upstreams = self.upstreams.iter().map(Arc::clone);
        join_all(upstreams.map(Upstream::keep_fresh)).await;
    }

    /// The rule of a project.
    pub(crate) fn rule_of(&self, project: &ProjectName) -> Result<&Rule, Problem> {
        self.rules.of(project).ok_or_else(|| {
            tracing::warn!(%project, "no rule says whose this project is");
            let hint = "name it in the file of rules, or check its spelling";
            Problem::not_found(format!("no rule says whose {project} is"), hint)
        })
    }

    /// The upstreams that a rule names.
    pub(crate) fn asked_by(&self, rule: &Rule) -> impl Iterator<Item = &Arc<Upstream>> {
        rule.upstreams
            .iter()
            .filter_map(|&at| self.upstreams.get(at))
    }
}
