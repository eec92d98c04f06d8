//! A state restored from a backup is behind what clients have seen: going on would go backwards, and
//! every client would refuse the index (reference F18).
//!
//! Each cycle therefore reads the published `timestamp.json` first. If it is newer than anything the
//! state knows of and the timestamp key has signed it, the cycle is refused. [`Repository::recover_from_store`]
//! then takes the content over from the published metadata, verified from the state's root on as a
//! client would, and gives up every version that ever reached the store. Of claims it takes what is
//! published, and holds what may have changed unpublished (`restore/claims.rs`).

mod claims;
mod published_developers;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use index::ProjectName;
use metadata::{Document, Role, Targets, Timestamp, Version, Wire};
use trust::{Authority, Envelope, Held, Rejection, RootChain, Snapped, Verified};

use crate::error::RepositoryError;
use crate::offline_set::bins_role;
use crate::repository::Repository;
use crate::store::StorePath;

pub(crate) use published_developers::PublishedDevelopers;

/// What a recovery took over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// The published timestamp it followed.
    pub timestamp: Version,
    /// Files that the state did not know of, and does now.
    pub files_found: usize,
    /// Files that were removed since the backup.
    pub files_gone: usize,
    /// Projects whose developers sign, as published.
    pub claims: usize,
    /// Projects of which nothing is taken until the operator confirms their keys or grants others.
    pub held: Vec<ProjectName>,
    /// Projects that were released since the backup: the index speaks for them.
    pub released: Vec<ProjectName>,
    /// What developers had sent before the backup and has to be sent again.
    pub refused: usize,
    /// The highest version of each role that ever reached the store; the next is above it.
    pub given_up: BTreeMap<Role, Version>,
}

impl Repository {
    /// Compares the state with the published timestamp. A newer one of the snapshot we published is
    /// taken note of: a machine with only the timestamp key made it. One of another snapshot is
    /// [`RepositoryError::StateBehind`].
    pub(crate) fn check_store(&mut self) -> Result<(), RepositoryError> {
        let known = self.roles_by_name()?;
        let (Some(ours), Some(snapshot)) =
            (known.get(&Role::Timestamp), known.get(&Role::Snapshot))
        else {
            return Ok(());
        };
        let Some(file) = self.published_timestamp()? else {
            return Ok(());
        };
        let Ok(envelope) = self.parse_timestamp(&file) else {
            // The store is not trusted; the next publication replaces what stands there.
            return Ok(());
        };
        let found = envelope.peek_unverified();
        if found.version <= ours.version {
            return Ok(());
        }
        if !self.is_by_the_timestamp_key(&file) {
            return Ok(());
        }
        let hashes = found.snapshot.hashes.as_ref();
        let same_bytes = hashes.and_then(metadata::Hashes::get_sha256) == Some(snapshot.sha256);
        if found.snapshot.version == snapshot.version && same_bytes {
            let renewed = BTreeMap::from([(Role::Timestamp, found.version)]);
            return self.state.give_up(&renewed, None);
        }
        // Unless another took this one's place since the state was read: then that is what there is to say.
        self.state.check_writer()?;
        Err(RepositoryError::StateBehind {
            ours: ours.version,
            published: found.version,
        })
    }

    /// Takes over what is published from the store, for a state that was restored from a backup. What
    /// is queued stays queued; journalled work of before the backup is given up.
    pub fn recover_from_store(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<RestoreReport, RepositoryError> {
        let _lock = self.lock()?;
        let published = self.read_published(now)?;
        let expires = published.snapped.timestamp().expires.instant();
        let files = self.metadata_files()?;
        let given_up = self.highest_versions(&files)?;
        // First, and again if we die before the head moves: the next cycle still finds itself behind.
        self.state.give_up(&given_up, Some(expires))?;
        self.state.clear_staged()?;
        let mut staged = self.take_over(&published, &files)?;
        staged.signed = self.state.head()?.signed.map_or(now, |last| last.max(now));
        self.take_over_claims(&published.developers, now, &mut staged)?;
        let (mut held, mut released) = (Vec::new(), Vec::new());
        for (project, claim) in &staged.claims {
            match claim {
                Some(claim) if claim.held => held.push(project.clone()),
                Some(_) => {}
                None => released.push(project.clone()),
            }
        }
        let report = RestoreReport {
            timestamp: published.snapped.timestamp().version,
            files_found: staged.files.len(),
            files_gone: staged.gone.len(),
            claims: published.developers.projects.len(),
            held,
            released,
            refused: staged.outcomes.len(),
            given_up,
        };
        self.publish(&staged)?;
        Ok(report)
    }

    pub(crate) fn published_timestamp(&self) -> Result<Option<Vec<u8>>, RepositoryError> {
        let limit = self.rules().limits.timestamp;
        match StorePath::metadata("timestamp.json") {
            Some(path) => Ok(self.store.get(&path, limit)?),
            None => Ok(None),
        }
    }

    /// Whether a timestamp carries the signature of the published root's timestamp key.
    pub(crate) fn is_by_the_timestamp_key(&self, file: &[u8]) -> bool {
        let (Ok(envelope), Ok(chain)) = (self.parse_timestamp(file), self.root_chain()) else {
            return false;
        };
        let root = chain.root();
        let authority = Authority::new("root", &root.keys, &root.timestamp);
        envelope.tally(&authority).is_met()
    }

    fn parse_timestamp(&self, file: &[u8]) -> Result<Envelope<Timestamp>, Rejection> {
        let rules = self.rules();
        Envelope::parse(Role::Timestamp, file, rules.limits.timestamp, &rules)
    }

    /// The roots from the state's on, as far as the store has them.
    fn root_chain(&self) -> Result<RootChain, RepositoryError> {
        // The other roles of an old state may have been swept since.
        let mut known = self.roles_by_name()?;
        known.retain(|role, _| *role == Role::Root);
        let before = self.read_before(&known, None)?;
        let first = before.root.ok_or(RepositoryError::NoRoles)?;
        let rules = self.rules();
        let limit = rules.limits.root;
        let refused = |source| RepositoryError::Rehearsal { source };
        let mut chain = RootChain::pinned(&first, rules).map_err(refused)?;
        loop {
            let next = Role::Root.versioned_file_name(chain.next_version().map_err(refused)?);
            let Some(path) = StorePath::metadata(&next) else {
                return Ok(chain);
            };
            match self.store.get(&path, limit)? {
                Some(file) => chain = chain.advance(&file).map_err(refused)?,
                None => return Ok(chain),
            }
        }
    }

    /// Reads all that is published, verified as a client verifies it.
    fn read_published(&self, now: DateTime<Utc>) -> Result<Published, RepositoryError> {
        let refused = |source| RepositoryError::Rehearsal { source };
        let chain = self.root_chain()?;
        let root = self.read_role(&Role::Root, chain.root().version, u64::MAX)?;
        let timestamp = self
            .published_timestamp()?
            .ok_or(RepositoryError::NothingPublished)?;
        let envelope = self.parse_timestamp(&timestamp).map_err(refused)?;
        // A repository that stood still may have expired; what was valid then is what clients hold.
        let last = envelope.peek_unverified().expires.instant() - TimeDelta::seconds(1);
        let rooted = chain.close(now.min(last)).map_err(refused)?;
        let timed = rooted
            .timestamp(&timestamp, Held::default())
            .map_err(refused)?;
        let request = timed.snapshot_request();
        let snapshot = self.read_role(&request.role, request.version, request.limit)?;
        let snapped = timed.snapshot(&snapshot).map_err(refused)?;
        let fetch = |role: &Role| {
            let request = snapped.request(role).map_err(refused)?;
            self.read_role(role, request.version, request.limit)
        };
        let targets = snapped.targets(&fetch(&Role::Targets)?).map_err(refused)?;
        let name = bins_role();
        let edge = targets
            .all_edges()
            .find(|edge| edge.name().as_str() == name.name())
            .ok_or(RepositoryError::NoRoles)?;
        let bins = snapped.delegate(&edge, &fetch(&name)?).map_err(refused)?;
        let mut each = BTreeMap::new();
        for edge in bins.all_edges() {
            let role = Role::Delegated(edge.name().clone());
            let bin = snapped.delegate(&edge, &fetch(&role)?).map_err(refused)?;
            each.insert(role, bin);
        }
        Ok(Published {
            developers: published_developers::read(self, &snapped, &targets)?,
            root,
            snapped,
            targets,
            bins,
            each,
        })
    }

    pub(crate) fn read_role(
        &self,
        role: &Role,
        version: Version,
        limit: u64,
    ) -> Result<Vec<u8>, RepositoryError> {
        let name = role.versioned_file_name(version);
        let limit = limit.min(self.rules().limits.listed);
        let path = StorePath::metadata(&name);
        let file = path.map(|path| self.store.get(&path, limit)).transpose()?;
        file.flatten()
            .ok_or(RepositoryError::NotInStore { what: name })
    }

    /// The metadata files of the store, by what their names say.
    fn metadata_files(&self) -> Result<Vec<(Role, Version)>, RepositoryError> {
        let parse = |path: &StorePath| {
            let name = path.as_str().strip_prefix("metadata/")?;
            let (version, role) = name.strip_suffix(".json")?.split_once('.')?;
            let version = Version::new(version.parse().ok()?).ok()?;
            Some((Role::parse(role).ok()?, version))
        };
        Ok(self.store.list()?.iter().filter_map(parse).collect())
    }

    /// The highest version of each role among the metadata files of the store: published, or put by a
    /// cycle that died. None of them may be used again.
    fn highest_versions(
        &self,
        files: &[(Role, Version)],
    ) -> Result<BTreeMap<Role, Version>, RepositoryError> {
        let mut highest = BTreeMap::new();
        // Roots are consecutive and come from ceremonies: they are not given out here.
        for (role, version) in files.iter().filter(|(role, _)| *role != Role::Root) {
            let known = highest.entry(role.clone()).or_insert(*version);
            *known = (*version).max(*known);
        }
        if let Some(file) = self.published_timestamp()? {
            let wire = Wire::parse(&file, usize::MAX)?;
            let version = Timestamp::parse(wire.signed)?.version;
            highest.insert(Role::Timestamp, version);
        }
        Ok(highest)
    }
}

/// All that is published, verified.
pub(crate) struct Published {
    pub(crate) root: Vec<u8>,
    pub(crate) snapped: Snapped,
    pub(crate) targets: Verified<Targets>,
    pub(crate) bins: Verified<Targets>,
    /// Every bin, by role.
    pub(crate) each: BTreeMap<Role, Verified<Targets>>,
    pub(crate) developers: PublishedDevelopers,
}
