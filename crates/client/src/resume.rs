//! What the datastore holds, as a session, without asking anybody.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use metadata::Role;
use trust::Held;

use crate::pin::pinned;
use crate::{ClientError, Session, Updater};

impl Updater {
    /// The session of what the datastore holds, all of it verified again and none of it expired.
    /// Nothing is fetched, locked or written: for when the repository cannot be reached, serves what
    /// is refused, or another process updates.
    pub async fn resume(&self, now: DateTime<Utc>) -> Result<Session, ClientError> {
        let (config, datastore) = (&self.shared.config, &self.shared.datastore);
        let limits = &config.rules.limits;
        let rooted = pinned(datastore, &config.rules).await?.close(now)?;
        config.minimum.check_root(rooted.root())?;
        let timestamp = self.held(Role::Timestamp, limits.timestamp).await?;
        let timed = rooted.timestamp(&timestamp, Held::default())?;
        config.minimum.check_timestamp(timed.timestamp())?;
        let snapshot = self.held(Role::Snapshot, limits.listed).await?;
        let snapped = timed.snapshot(&snapshot)?;
        config.minimum.check_snapshot(snapped.snapshot())?;
        let request = snapped.request(&Role::Targets)?;
        let targets = snapped.targets(&self.held(Role::Targets, request.limit).await?)?;
        Ok(Session::new(
            Arc::clone(&self.shared),
            snapped,
            Arc::new(targets),
        ))
    }

    async fn held(&self, role: Role, limit: u64) -> Result<Vec<u8>, ClientError> {
        let datastore = &self.shared.datastore;
        let file = datastore.read(&role, limit).await?;
        file.ok_or_else(|| ClientError::NothingHeld {
            path: datastore.dir().to_path_buf(),
            role,
        })
    }
}
