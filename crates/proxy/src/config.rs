//! How a proxy works: what whoever starts one decides.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use policy::ProxyLimits;

use crate::authority::LocalAuthority;
use crate::canonical::Canonical;
use crate::connections::ConnectionLimits;
use crate::forward::AllowedHost;
use crate::identity::Identity;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

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
    /// Hosts to which installers' requests are passed on, unverified; all others are refused.
    pub passed_hosts: Vec<AllowedHost>,
    /// Ports of this machine at which other indexes that the user trusts are known to installers: what is
    /// asked for there is not answered from this one.
    pub other_ports: BTreeSet<u16>,
    /// Whether the page of a project is refused that does not show a file its developers signed.
    pub strict: bool,
    /// The index's own URLs; requests for them are answered like those to this proxy itself.
    pub canonical: Option<Canonical>,
    /// What vouches to installers for connections to them over TLS; without it those are refused.
    pub authority: Option<Arc<LocalAuthority>>,
    /// What it proves to whoever asks whose proxy it is.
    pub identity: Option<Identity>,
    /// How many connections it bears with, and how slow.
    pub connections: ConnectionLimits,
    /// What else it bears with, waits for and keeps; what has a member of its own here counts there.
    pub limits: ProxyLimits,
    /// The clock that expiries are held against.
    pub clock: Clock,
}

impl ProxyConfig {
    /// Within the limits of the policy `small-index`, serving loopback, by the machine's clock.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        let limits = ProxyLimits::default();
        Self {
            cache_dir: cache_dir.into(),
            cache_limit: limits.cache_bytes,
            refresh_interval: limits.refresh_interval,
            allowed_hosts: Vec::new(),
            passed_hosts: Vec::new(),
            other_ports: BTreeSet::new(),
            strict: false,
            canonical: None,
            authority: None,
            identity: None,
            connections: (&limits).into(),
            limits,
            clock: Arc::new(Utc::now),
        }
    }
}
