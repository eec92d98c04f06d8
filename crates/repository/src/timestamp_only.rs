//! `tick --only timestamp`: for a machine that holds the timestamp key and nothing else.
//!
//! It has no state and trusts nothing it reads: roots are verified from the one it was given, and the
//! snapshot must be the one the published timestamp names, signed and current. It moves nothing but
//! `timestamp.json`, and that only upwards from a floor of its own, written before the timestamp is:
//! if we die between, a number is lost and nothing else.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use draft::{Draft, Setting};
use metadata::{Document, Expiry, MetaFile, Role, Timestamp, Version, Wire};
use policy::Policy;
use serde::{Deserialize, Serialize};
use trust::{Authority, Dialect, Held, RootChain, Rules, Snapped};

use crate::error::RepositoryError;
use crate::signers::OnlineSigners;
use crate::snapshot_deltas::list_deltas;
use crate::store::{Store, StorePath};

/// What such a machine works on.
pub struct TimestampOnly<'a> {
    /// The store, which is not trusted.
    pub store: &'a mut dyn Store,
    /// The root it was given, or any later one it was brought.
    pub root: &'a [u8],
    /// Where it keeps its floor; made if it is not there.
    pub floor: &'a Path,
    /// The policy.
    pub policy: &'a Policy,
}

/// What one run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampReport {
    /// The timestamp signed; none if it was not due.
    pub signed: Option<Version>,
    /// The snapshot it names.
    pub snapshot: Version,
    /// When the published timestamp expires.
    pub expires: DateTime<Utc>,
}

/// What must never go back.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Floor {
    root: u64,
    timestamp: u64,
    snapshot: u64,
    /// When the last signature was made, in seconds since 1970.
    signed: i64,
}

impl TimestampOnly<'_> {
    /// Signs the timestamp again if less than the policy's share of its life is left.
    pub fn tick(
        &mut self,
        signers: &OnlineSigners,
        now: DateTime<Utc>,
    ) -> Result<TimestampReport, RepositoryError> {
        let floor = self.read_floor()?;
        let last = crate::rows::to_time(floor.signed, "the floor")?;
        if now < last {
            return Err(RepositoryError::ClockBehind { now, last });
        }
        let snapped = self.read_published(now)?;
        check_floor(floor, &snapped)?;
        let published = snapped.timestamp();
        let mut report = TimestampReport {
            signed: None,
            snapshot: snapped.snapshot().version,
            expires: published.expires.instant(),
        };
        let lifetime = self.policy.roles.timestamp.lifetime;
        if report.expires - now > self.policy.online.renew_below(lifetime) {
            return Ok(report);
        }
        let highest = published.version.get().max(floor.timestamp);
        let version = Version::new(highest)?.next()?;
        let expires = Expiry::at(now + lifetime);
        let named: MetaFile = published.snapshot.clone();
        let root = snapped.root();
        let setting = Setting {
            now,
            policy: self.policy,
            root: Some(root.document()),
        };
        let mut document = Timestamp::new(version, expires, named);
        list_deltas(&mut document, &[], Some(published.document()));
        let linted =
            Draft::new(Role::Timestamp, document).lint(&setting, Some(published.document()))?;
        let authority = Authority::new("root", &root.keys, &root.timestamp);
        let signed = signers.sign(linted, &root.timestamp, &authority)?;
        self.write_floor(Floor {
            root: root.version.get(),
            timestamp: version.get(),
            snapshot: report.snapshot.get(),
            signed: now.timestamp(),
        })?;
        self.store.put_pointer(&timestamp_path()?, signed.bytes())?;
        self.store.flush()?;
        report.signed = Some(version);
        report.expires = signed.document().expires().instant();
        Ok(report)
    }

    /// Everything up to the snapshot, verified as a client does. An expired timestamp is still good
    /// enough to be followed: renewing it is what this machine is for.
    fn read_published(&self, now: DateTime<Utc>) -> Result<Snapped, RepositoryError> {
        let refused = |source| RepositoryError::Rehearsal { source };
        let rules = Rules {
            limits: (&self.policy.client).into(),
            dialect: Dialect::Strict,
        };
        let limit = rules.limits.root;
        let mut chain = RootChain::pinned(self.root, rules).map_err(refused)?;
        loop {
            let version = chain.next_version().map_err(refused)?;
            match self.read(&Role::Root.versioned_file_name(version), limit)? {
                Some(file) => chain = chain.advance(&file).map_err(refused)?,
                None => break,
            }
        }
        let file = self
            .read("timestamp.json", rules.limits.timestamp)?
            .ok_or(RepositoryError::NothingPublished)?;
        let wire = Wire::parse(&file, rules.limits.signatures)?;
        let expires = Timestamp::parse(wire.signed)?.expires.instant();
        let moment = now.min(expires - chrono::TimeDelta::seconds(1));
        let rooted = chain.close(moment).map_err(refused)?;
        let timed = rooted.timestamp(&file, Held::default()).map_err(refused)?;
        let request = timed.snapshot_request();
        let name = request.role.versioned_file_name(request.version);
        let missing = || RepositoryError::NotInStore { what: name.clone() };
        let snapshot = self.read(&name, request.limit)?.ok_or_else(missing)?;
        let snapped = timed.snapshot(&snapshot).map_err(refused)?;
        let root_lives = snapped.root().expires.instant() > now;
        if snapped.snapshot().expires.instant() <= now || !root_lives {
            let role = if root_lives {
                Role::Snapshot
            } else {
                Role::Root
            };
            return Err(RepositoryError::NotForThisKey { role });
        }
        Ok(snapped)
    }

    fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, RepositoryError> {
        let path = StorePath::metadata(name);
        let file = path.map(|path| self.store.get(&path, limit)).transpose()?;
        Ok(file.flatten())
    }

    fn read_floor(&self) -> Result<Floor, RepositoryError> {
        let damaged = |_| RepositoryError::Damaged {
            what: format!("the floor {}", self.floor.display()),
        };
        match fs::read(self.floor) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Floor::default()),
            Err(source) => Err(self.failed("read", source)),
        }
    }

    /// Writes the floor so that it survives a loss of power, before anything that relies on it.
    fn write_floor(&self, floor: Floor) -> Result<(), RepositoryError> {
        let write = || -> io::Result<()> {
            let temporary = self.floor.with_extension("new");
            let mut file = File::create(&temporary)?;
            file.write_all(&serde_json::to_vec(&floor)?)?;
            file.sync_all()?;
            fs::rename(&temporary, self.floor)?;
            let folder = self.floor.parent().map_or(Path::new("."), |parent| {
                if parent.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    parent
                }
            });
            File::open(folder)?.sync_all()
        };
        write().map_err(|source| self.failed("write", source))
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> RepositoryError {
        RepositoryError::Io {
            doing,
            path: PathBuf::from(self.floor),
            source,
        }
    }
}

fn check_floor(floor: Floor, snapped: &Snapped) -> Result<(), RepositoryError> {
    for (role, floor, found) in [
        (Role::Root, floor.root, snapped.root().version),
        (Role::Snapshot, floor.snapshot, snapped.snapshot().version),
    ] {
        if found.get() < floor {
            return Err(RepositoryError::BelowFloor { role, floor, found });
        }
    }
    Ok(())
}

fn timestamp_path() -> Result<StorePath, RepositoryError> {
    let missing = || RepositoryError::NothingPublished;
    StorePath::metadata("timestamp.json").ok_or_else(missing)
}
