//! How a proxy works: what whoever starts one decides.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use policy::ProxyLimits;

use crate::authority::LocalAuthority;
use crate::canonical::Canonical;
use crate::forward::AllowedHost;
use crate::identity::Identity;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How a proxy works.
#[derive(Clone)]
pub struct ProxyConfig {
    /// Folder of verified files; made if missing, readable by this user only.
    pub cache_dir: PathBuf,
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
    /// What it bears with, waits for and keeps.
    pub limits: ProxyLimits,
    /// The clock that expiries are held against.
    pub clock: Clock,
}

impl ProxyConfig {
    /// Within the limits of the policy `small-index`, serving loopback, by the machine's clock.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            allowed_hosts: Vec::new(),
            passed_hosts: Vec::new(),
            other_ports: BTreeSet::new(),
            strict: false,
            canonical: None,
            authority: None,
            identity: None,
            limits: ProxyLimits::default(),
            clock: Arc::new(Utc::now),
        }
    }
}
