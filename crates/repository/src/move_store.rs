//! Carries what is published to another store, for an index that moves without a gap for its clients.
//!
//! Everything that a client can still ask for is copied, first while others go on publishing, then what
//! they published meanwhile, under the lock. The old store is not trusted: what it gives is held against
//! the state's digests. The order is that of a publication (`publish.rs`): the new place is whole from the
//! moment its `timestamp.json` is there. If we die before, the same is done again, and what is there
//! already is left as it is.

mod spool;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use index::{DistributionFilename, file_path, metadata_path, page_path};
use metadata::{Document, Role, Sha256, Timestamp, Wire};

use crate::error::{RepositoryError, StoreError};
use crate::pointers::mirror_pages;
use crate::repository::{Repository, Stage};
use crate::store::{Store, StorePath};
use spool::{Spool, Spooled};

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoveReport {
    /// How many immutable objects are in the new store.
    pub objects: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// Metadata among them that only earlier timestamps lead to: the state keeps no digest of it, its
    /// signatures speak for it at the clients.
    pub by_signature: u64,
    /// The newest root, as the state knows it: where reading back begins.
    pub root: Vec<u8>,
    /// Until when clients of the old store are served.
    pub good_until: Option<DateTime<Utc>>,
}

/// Files on their way that may wait for one flush.
const FILES: usize = 8;

/// What has been copied so far.
#[derive(Default)]
struct Copies {
    done: BTreeSet<StorePath>,
    report: MoveReport,
}

impl Repository {
    /// Copies everything that clients can ask for into `to`, has `check` read it there, then lets `switch`
    /// lead the index there. Nobody else publishes between the last copy and the end of `check`, and
    /// afterwards nobody publishes to the old store, whatever their settings say.
    pub fn move_to<E: From<RepositoryError>>(
        &mut self,
        to: &mut dyn Store,
        now: DateTime<Utc>,
        check: impl FnOnce(&MoveReport) -> Result<(), E>,
        switch: impl FnOnce() -> Result<(), E>,
    ) -> Result<MoveReport, E> {
        let mut copies = Copies::default();
        self.copy_immutable(to, now, &mut copies)?;
        let _lock = self.lock_to_move()?;
        self.follow_other_processes()?;
        self.check_store()?;
        self.recover(now)?;
        let missing = self.copy_immutable(to, now, &mut copies)?;
        if let Some(path) = missing {
            let what = path.to_string();
            return Err(RepositoryError::NotInStore { what }.into());
        }
        copies.report.good_until = self.copy_pointers(to)?;
        copies.report.root = self.root_in(to)?;
        check(&copies.report)?;
        self.leave_store(to)?;
        switch()?;
        Ok(copies.report)
    }

    /// Says in the state that this store is left, and the other one is not.
    fn leave_store(&mut self, to: &dyn Store) -> Result<(), RepositoryError> {
        let mut left = self.state.stores_left()?;
        let there = to.place();
        left.retain(|place| Some(place) != there.as_ref());
        left.extend(self.store.place().filter(|place| !left.contains(place)));
        self.state.leave_stores(&left)
    }

    /// Copies what has not been copied yet; says what is gone, if anything is.
    fn copy_immutable(
        &self,
        to: &mut dyn Store,
        now: DateTime<Utc>,
        copies: &mut Copies,
    ) -> Result<Option<StorePath>, RepositoryError> {
        let expected = self.digests()?;
        let mut wanted = self.marks(now)?.kept;
        wanted.extend(self.root_paths()?);
        // Clients do without deltas, and later publications bring new ones.
        let is_delta = |path: &StorePath| path.as_str().starts_with("metadata/deltas/");
        wanted.retain(|path| {
            let is_copied = !path.is_pointer() && !is_timestamp(path) && !is_delta(path);
            is_copied && !copies.done.contains(path)
        });
        let (mut missing, mut files) = (None, Vec::new());
        let count = wanted.len() as u64;
        for (done, path) in wanted.into_iter().enumerate() {
            self.at(Stage::Putting, done as u64, count);
            let mut spool = Spool::default();
            if !self.store.read_into(&path, self.limit(&path), &mut spool)? {
                missing = missing.or(Some(path));
                continue;
            }
            let object = spool.close();
            match expected.get(&path).copied().or_else(|| digest_in(&path)) {
                Some(expected) if expected != object.digest => {
                    return Err(StoreError::Altered { path, expected }.into());
                }
                Some(_) => {}
                None => {
                    self.check_by_form(&path, &object)?;
                    copies.report.by_signature += 1;
                }
            }
            copies.report.objects += 1;
            copies.report.bytes += object.length;
            files.extend(object.put(to, &path)?);
            if files.len() >= FILES {
                to.flush()?;
                files.clear();
            }
            copies.done.insert(path);
        }
        self.at(Stage::Flushing, 0, 1);
        to.flush()?;
        Ok(missing)
    }

    /// `timestamp.json`, then the pages of the plain mirror. Says until when the timestamp is good.
    fn copy_pointers(&self, to: &mut dyn Store) -> Result<Option<DateTime<Utc>>, RepositoryError> {
        let path =
            StorePath::metadata("timestamp.json").ok_or(RepositoryError::NothingPublished)?;
        let ours = self.state.head()?.timestamp;
        let ours = ours.ok_or(RepositoryError::NothingPublished)?;
        // A machine that holds the timestamp key alone may have renewed it; `check_store` let nothing else
        // pass that is newer.
        let renewed = self
            .published_timestamp()?
            .filter(|found| self.is_by_the_timestamp_key(found) && version(found) > version(&ours));
        let timestamp = renewed.unwrap_or(ours);
        to.begin_pointers()?;
        let there = to.get(&path, self.rules().limits.timestamp)?;
        if let Some(there) = there.filter(|there| self.is_by_the_timestamp_key(there))
            && let (Some(ours), Some(published)) = (version(&timestamp), version(&there))
            && published > ours
        {
            return Err(RepositoryError::StateBehind { ours, published });
        }
        to.put_pointer(&path, &timestamp)?;
        to.flush()?;
        for project in self.state.projects()? {
            let page = page_path(&project);
            let bin = self.settings.layout.count.bin_of(&page.hash()).get();
            if self.state.target(bin, &page)?.is_none() {
                continue;
            }
            let files = self.state.files(&project)?;
            for (path, bytes) in mirror_pages(&project, &files)?.into_iter().flatten() {
                to.put_pointer(&path, &bytes)?;
            }
        }
        to.flush()?;
        to.end_pointers();
        let wire = Wire::parse(&timestamp, usize::MAX)?;
        Ok(Some(Timestamp::parse(wire.signed)?.expires.instant()))
    }

    fn root_in(&self, to: &dyn Store) -> Result<Vec<u8>, RepositoryError> {
        let roles = self.roles_by_name()?;
        let record = roles.get(&Role::Root).ok_or(RepositoryError::NoRoles)?;
        let name = Role::Root.versioned_file_name(record.version);
        let path = StorePath::metadata(&name).ok_or(RepositoryError::NoRoles)?;
        Ok(to.get_checked(&path, record.length, record.sha256)?)
    }

    /// Every root there has been: clients of any age follow them.
    fn root_paths(&self) -> Result<Vec<StorePath>, RepositoryError> {
        let roles = self.roles_by_name()?;
        let last = roles.get(&Role::Root).ok_or(RepositoryError::NoRoles)?;
        let mut paths = Vec::new();
        let mut version = metadata::Version::FIRST;
        while version <= last.version {
            paths.extend(StorePath::metadata(
                &Role::Root.versioned_file_name(version),
            ));
            version = version.next()?;
        }
        Ok(paths)
    }

    /// Digests that the state knows, but those that stand in an object's own name.
    fn digests(&self) -> Result<BTreeMap<StorePath, Sha256>, RepositoryError> {
        let mut digests = BTreeMap::new();
        for record in self.state.roles()? {
            let name = record.role.versioned_file_name(record.version);
            let path = StorePath::metadata(&name);
            digests.extend(path.map(|path| (path, record.sha256)));
        }
        for project in self.state.projects()? {
            for file in self.state.files(&project)? {
                digests.insert(StorePath::plain(&file_path(&file.filename)), file.sha256);
                if let Some((digest, _)) = file.core_metadata {
                    digests.insert(StorePath::plain(&metadata_path(&file.filename)), digest);
                }
            }
        }
        Ok(digests)
    }

    fn limit(&self, path: &StorePath) -> u64 {
        let limits = &self.settings.policy.client;
        if path.is_metadata() {
            limits.listed_bytes.max(limits.root_bytes)
        } else {
            limits.file_bytes.max(limits.page_bytes)
        }
    }

    /// Something of which the state has no digest: metadata of before, as it is signed and named; or the
    /// plain name of a file that was removed, which is known by its first digest.
    fn check_by_form(&self, path: &StorePath, object: &Spooled) -> Result<(), RepositoryError> {
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        if !path.is_metadata() {
            let distribution = name.strip_suffix(".metadata").unwrap_or(name);
            let known = DistributionFilename::parse(distribution).is_ok();
            let digest = self.state.digest_of_name(name)?;
            return match digest {
                Some(expected) if expected != object.digest => Err(StoreError::Altered {
                    path: path.clone(),
                    expected,
                }
                .into()),
                _ if known => Ok(()),
                _ => Err(RepositoryError::Damaged {
                    what: format!("object {path}"),
                }),
            };
        }
        let limits = self.rules().limits;
        Wire::parse(object.bytes().unwrap_or_default(), limits.signatures)?;
        Ok(())
    }
}

/// A timestamp by its version, as the state records it; the store has `timestamp.json` alone.
fn is_timestamp(path: &StorePath) -> bool {
    let name = path.as_str().strip_prefix("metadata/");
    let role = name.and_then(|name| name.split_once('.'));
    role.is_some_and(|(_, role)| role == "timestamp.json")
}

/// The digest that a target's name under consistent snapshots begins with (TUF 6.2.1).
fn digest_in(path: &StorePath) -> Option<Sha256> {
    let target = path.as_str().strip_prefix("targets/")?;
    let name = target.rsplit('/').next()?;
    Sha256::parse(name.split_once('.')?.0).ok()
}

fn version(timestamp: &[u8]) -> Option<metadata::Version> {
    let wire = Wire::parse(timestamp, usize::MAX).ok()?;
    Some(Timestamp::parse(wire.signed).ok()?.version)
}
