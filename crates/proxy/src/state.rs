//! What all requests share: the upstreams and whose each project is, the cache, the verdict.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use client::{ClientError, Session, UnverifiedIndex, Updater};
use futures_util::future::join_all;
use index::ProjectName;
use tokio::sync::Semaphore;
use url::Url;

use crate::cache::Cache;
use crate::config::ProxyConfig;
use crate::core_metadata::Extracted;
use crate::problem::Problem;
use crate::rules::{Rule, Signed, UpstreamRules};
use crate::unverified::{self, Unverified};
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
    /// In the order in which the rules name them.
    unverified: Vec<Arc<Unverified>>,
}

/// What the upstreams share.
pub(crate) struct Common {
    config: ProxyConfig,
    pub(crate) cache: Arc<Cache>,
    pub(crate) recorder: Recorder,
    pub(crate) extracted: Extracted,
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
        Self::with(
            UpstreamRules::all_of("index"),
            vec![updater],
            vec![],
            config,
        )
    }

    /// The same before the indexes that rules name; `updater` is asked for each that signs once, and
    /// `unverified` for each that does not.
    pub fn before<E: From<ClientError>>(
        rules: UpstreamRules,
        updater: impl FnMut(&String) -> Result<Updater, E>,
        unverified: impl FnMut(&Url) -> Result<UnverifiedIndex, E>,
        config: ProxyConfig,
    ) -> Result<SharedState, E> {
        let updaters = rules.names().iter().map(updater);
        let updaters = updaters.collect::<Result<Vec<_>, E>>()?;
        let unverified = rules.unverified().iter().map(unverified);
        let unverified = unverified.collect::<Result<Vec<_>, E>>()?;
        Ok(Self::with(rules, updaters, unverified, config)?)
    }

    fn with(
        rules: UpstreamRules,
        updaters: Vec<Updater>,
        unverified: Vec<UnverifiedIndex>,
        config: ProxyConfig,
    ) -> Result<SharedState, ClientError> {
        let beside = config.cache_dir.join(unverified::FOLDER);
        let limit = config.limits.cache_bytes;
        let cache = Cache::open(&config.cache_dir, limit)?;
        let common = Arc::new(Common {
            cache: Arc::new(cache),
            recorder: Recorder::default(),
            extracted: Extracted::within(config.limits.metadata_memory_bytes),
            tunnels: Arc::new(Semaphore::new(config.limits.connections as usize)),
            config,
        });
        let named = rules.names().iter().zip(updaters);
        let upstreams = named.map(|(name, updater)| {
            let common = Arc::clone(&common);
            Arc::new(Upstream::new(common, name.clone(), updater))
        });
        let upstreams = upstreams.collect();
        let mut without = Vec::new();
        if !unverified.is_empty() {
            let cache = Arc::new(Cache::open(&beside, limit)?);
            for (url, index) in rules.unverified().iter().zip(unverified) {
                let (common, cache) = (Arc::clone(&common), Arc::clone(&cache));
                without.push(Arc::new(Unverified::new(common, url.clone(), index, cache)));
            }
        }
        Ok(Arc::new(Self {
            upstreams,
            unverified: without,
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

    /// The rules.
    pub(crate) fn rules(&self) -> &UpstreamRules {
        &self.rules
    }

    /// The upstreams that sign, in the order of the rules' names.
    pub(crate) fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }

    /// The indexes that sign nothing, by their URLs.
    pub fn unverified_names(&self) -> impl Iterator<Item = &str> {
        self.unverified.iter().map(|it| it.name())
    }

    /// The index that signs nothing at this place among those of the rules.
    pub(crate) fn unverified_at(&self, at: usize) -> Result<&Arc<Unverified>, Problem> {
        let found = self.unverified.get(at);
        found.ok_or_else(|| Problem::internal("a rule names no upstream"))
    }

    /// The upstreams that a rule names.
    pub(crate) fn asked_by(&self, signed: &Signed) -> impl Iterator<Item = &Arc<Upstream>> {
        signed
            .upstreams
            .iter()
            .filter_map(|&at| self.upstreams.get(at))
    }
}
