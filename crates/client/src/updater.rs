//! Drives an update in the order of TUF 5.1–5.6; every decision is made in `trust`.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use metadata::{Role, Targets, Version};
use trust::{Held, Rejection, Request, RootChain, Rooted, Rules, Snapped, Timed, Verified, Walked};
use url::Url;

use crate::fetch::fetch_role;
use crate::location::Base;
use crate::pin::pinned;
use crate::{
    ClientError, Datastore, Minimum, Session, Transport, TransportError, Wanted,
    without_credentials,
};

/// Bytes of delegated roles kept in memory between lookups and sessions.
const WALKED_BYTES: usize = 64 << 20;

/// Where a repository is, and what it is held to.
#[derive(Clone, Debug)]
pub struct UpdaterConfig {
    /// Folder of the metadata, with or without a final slash.
    pub metadata_url: Url,
    /// Folder of the target files.
    pub targets_url: Url,
    /// Limits and dialect.
    pub rules: Rules,
    /// Whether target files of a repository with consistent snapshots are fetched as
    /// `dir/HASH.file` (TUF 6.2.1); all our own are.
    pub prefix_targets_with_hash: bool,
    /// Whether an update starts once more when a versioned file has just vanished (PEP 458
    /// "Consistent Snapshots").
    pub restart_when_vanished: bool,
    /// Bytes of a project page.
    pub page_limit: u64,
    /// Versions below which a role is refused, as the trust anchor was handed out with: a client
    /// that has seen nothing yet can be shown nothing older.
    pub minimum: Minimum,
    /// Bytes of the core metadata of a distribution (PEP 658), whose size no page states.
    pub core_metadata_limit: u64,
}

impl UpdaterConfig {
    /// The usual rules for a repository at these URLs.
    #[must_use]
    pub fn new(metadata_url: Url, targets_url: Url) -> Self {
        Self {
            metadata_url,
            targets_url,
            rules: Rules::default(),
            prefix_targets_with_hash: true,
            restart_when_vanished: true,
            page_limit: policy::ClientLimits::default().page_bytes,
            minimum: Minimum::default(),
            core_metadata_limit: CORE_METADATA_BYTES,
        }
    }

    /// The same with the limits of a policy.
    #[must_use]
    pub fn with_limits(mut self, limits: &policy::ClientLimits) -> Self {
        self.rules.limits = limits.into();
        self.page_limit = limits.page_bytes;
        self
    }
}

/// Most bytes of the core metadata of a distribution: above the 10 MB that an index takes in.
pub(crate) const CORE_METADATA_BYTES: u64 = 16_000_000;

/// Everything sessions of one repository share.
pub(crate) struct Shared {
    pub(crate) config: UpdaterConfig,
    pub(crate) metadata: Base,
    pub(crate) targets: Base,
    pub(crate) datastore: Datastore,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) walked: Mutex<Walked>,
}

/// Updates what is trusted of one repository.
#[derive(Clone)]
pub struct Updater {
    pub(crate) shared: Arc<Shared>,
}

impl Updater {
    /// Sets up updates; nothing is read or fetched yet.
    pub fn new(
        config: UpdaterConfig,
        datastore: Datastore,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, ClientError> {
        let shared = Arc::new(Shared {
            metadata: Base::new(&config.metadata_url)?,
            targets: Base::new(&config.targets_url)?,
            walked: Mutex::new(Walked::new(WALKED_BYTES)),
            config,
            datastore,
            transport,
        });
        Ok(Self { shared })
    }

    /// Brings everything up to date (TUF 5.1–5.6). `now` becomes the time of the whole session.
    ///
    /// Each role is stored as soon as it is verified, so that a later failure loses nothing. When a
    /// versioned file has just vanished, the update starts once more if there is a newer timestamp.
    pub async fn refresh(&self, now: DateTime<Utc>) -> Result<Session, ClientError> {
        let _lock = self.shared.datastore.lock().await?;
        let (error, timestamp) = match self.pass(now, None).await {
            Ok(session) => return Ok(session),
            Err(Stop::Vanished(error, timestamp)) => (error, timestamp),
            Err(Stop::Error(error)) => return Err(error),
        };
        if !self.shared.config.restart_when_vanished {
            return Err(error);
        }
        tracing::info!(%error, "a file vanished during the update, starting once more");
        match self.pass(now, Some(timestamp)).await {
            Ok(session) => Ok(session),
            Err(Stop::Vanished(_, again)) if again == timestamp => Err(error),
            Err(Stop::Vanished(error, _) | Stop::Error(error)) => Err(error),
        }
    }

    /// One pass. If the newest timestamp is `seen`, what vanished before has not come back, and the
    /// pass ends without asking for it again.
    async fn pass(&self, now: DateTime<Utc>, seen: Option<Version>) -> Result<Session, Stop> {
        let rooted = self.roots().await?.close(now).map_err(ClientError::from)?;
        let minimum = &self.shared.config.minimum;
        minimum.check_root(rooted.root())?;
        let consistent = rooted.root().consistent_snapshot;
        let timed = self.timestamp(rooted).await?;
        let timestamp = timed.timestamp().version;
        if seen == Some(timestamp) {
            let request = timed.snapshot_request();
            let url = without_credentials(&self.url(&request, consistent));
            let source = TransportError::NotFound { url };
            let what = Wanted::Role(request.role, Some(request.version));
            return Err(Stop::Vanished(
                ClientError::transport(what, source),
                timestamp,
            ));
        }
        let stop = |error| Stop::below(error, timestamp);
        let snapped = self.snapshot(timed, consistent).await.map_err(stop)?;
        let targets = self.targets(&snapped, consistent).await.map_err(stop)?;
        Ok(Session::new(
            Arc::clone(&self.shared),
            snapped,
            Arc::new(targets),
        ))
    }

    /// TUF 5.2 and 5.3. The root in the datastore is verified before the first request.
    async fn roots(&self) -> Result<RootChain, ClientError> {
        let (rules, datastore) = (self.shared.config.rules, &self.shared.datastore);
        let mut chain = pinned(datastore, &rules).await?;
        for _ in 0..rules.limits.root_rotations {
            let version = chain.next_version()?;
            let request = Request {
                role: Role::Root,
                version,
                limit: rules.limits.root,
            };
            match self.fetch(&request, true).await {
                Ok(file) => chain = chain.advance(&file)?,
                Err(error) if error.is_not_found() => break,
                Err(error) => return Err(error),
            }
            datastore.store(chain.root()).await?;
        }
        Ok(chain)
    }

    /// TUF 5.4.
    async fn timestamp(&self, rooted: Rooted) -> Result<Timed, ClientError> {
        let (limits, datastore) = (self.shared.config.rules.limits, &self.shared.datastore);
        let url = self.shared.metadata.role(&Role::Timestamp, None);
        let asked = (&Role::Timestamp, None);
        let file = fetch_role(&*self.shared.transport, &url, asked, limits.timestamp).await?;
        let timestamp = datastore.read(&Role::Timestamp, limits.timestamp).await?;
        let snapshot = datastore.read(&Role::Snapshot, limits.listed).await?;
        let held = Held {
            timestamp: timestamp.as_deref(),
            snapshot: snapshot.as_deref(),
        };
        let timed = rooted.timestamp(&file, held)?;
        self.shared
            .config
            .minimum
            .check_timestamp(timed.timestamp())?;
        if timed.voids_held() {
            datastore.forget_floors().await?;
        }
        if !timed.is_held() {
            datastore.store(timed.timestamp()).await?;
        }
        Ok(timed)
    }

    /// TUF 5.5.
    async fn snapshot(&self, timed: Timed, consistent: bool) -> Result<Snapped, ClientError> {
        let timed = match timed.held_snapshot() {
            Ok(snapped) => {
                self.shared
                    .config
                    .minimum
                    .check_snapshot(snapped.snapshot())?;
                return Ok(snapped);
            }
            Err(timed) => *timed,
        };
        let file = match self.snapshot_by_delta(&timed).await {
            Some(file) => file,
            None => self.fetch(&timed.snapshot_request(), consistent).await?,
        };
        let snapped = timed.snapshot(&file)?;
        self.shared
            .config
            .minimum
            .check_snapshot(snapped.snapshot())?;
        self.shared.datastore.store(snapped.snapshot()).await?;
        Ok(snapped)
    }

    /// TUF 5.6.
    async fn targets(
        &self,
        snapped: &Snapped,
        consistent: bool,
    ) -> Result<Verified<Targets>, ClientError> {
        let request = snapped.request(&Role::Targets)?;
        let held = self
            .shared
            .datastore
            .read(&Role::Targets, request.limit)
            .await?;
        if let Some(targets) = held.and_then(|file| snapped.targets(&file).ok()) {
            return Ok(targets);
        }
        let file = self.fetch(&request, consistent).await?;
        let targets = snapped.targets(&file)?;
        self.shared.datastore.store(&targets).await?;
        Ok(targets)
    }

    async fn fetch(&self, request: &Request, versioned: bool) -> Result<Vec<u8>, ClientError> {
        let url = self.url(request, versioned);
        let asked = (&request.role, Some(request.version));
        fetch_role(&*self.shared.transport, &url, asked, request.limit).await
    }

    fn url(&self, request: &Request, versioned: bool) -> Url {
        self.shared
            .metadata
            .role(&request.role, versioned.then_some(request.version))
    }
}

/// Why a pass ended.
enum Stop {
    /// A file was not there that this timestamp leads to.
    Vanished(ClientError, Version),
    /// Anything else.
    Error(ClientError),
}

impl Stop {
    fn below(error: ClientError, timestamp: Version) -> Self {
        if error.is_not_found() {
            Self::Vanished(error, timestamp)
        } else {
            Self::Error(error)
        }
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Self::Error(error)
    }
}

/// A rejection as the end of a search.
pub(crate) fn rejection(error: &ClientError) -> Option<&Rejection> {
    match error {
        ClientError::Rejected(rejection) => Some(rejection),
        _ => None,
    }
}

#[cfg(test)]
mod floor_tests;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod tests;
