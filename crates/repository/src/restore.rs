//! A state restored from a backup is behind what clients have seen: going on would go backwards, and
//! every client would refuse the index (reference F18).
//!
//! Each cycle therefore reads the published `timestamp.json` first. If it is newer than anything the
//! state knows of and the timestamp key has signed it, the cycle is refused. [`Repository::recover_from_store`]
//! then takes the content over from the published metadata, verified from the state's root on as a
//! client would, and gives up every version that ever reached the store.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use index::{PageFile, PageLimits, ProjectName, SimplePage, metadata_path, page_path};
use metadata::{Document, Role, Sha256, TargetPath, Targets, Timestamp, Version, Wire};
use trust::{Authority, Envelope, Held, RootChain, Snapped, Verified};

use crate::batch::{check_layout, same_keys};
use crate::error::RepositoryError;
use crate::offline_set::bins_role;
use crate::publish::publish;
use crate::record::{FileRecord, Listing, Object, Phase, RoleRecord, Source, Staged, TargetRecord};
use crate::repository::Repository;
use crate::store::StorePath;

/// What a recovery took over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// The published timestamp it followed.
    pub timestamp: Version,
    /// Files that the state did not know of, and does now.
    pub files_found: usize,
    /// Files that were removed since the backup.
    pub files_gone: usize,
    /// The highest version of each role that ever reached the store; the next is above it.
    pub given_up: BTreeMap<Role, Version>,
}

impl Repository {
    /// Compares the state with the published timestamp. A newer one of the snapshot we published is
    /// taken note of: a machine with only the timestamp key made it. One of another snapshot is
    /// [`RepositoryError::StateBehind`].
    pub(crate) fn check_store(&mut self) -> Result<(), RepositoryError> {
        let roles = self.roles_by_name()?;
        let (Some(ours), Some(snapshot)) =
            (roles.get(&Role::Timestamp), roles.get(&Role::Snapshot))
        else {
            return Ok(());
        };
        let Some(file) = self.published_timestamp()? else {
            return Ok(());
        };
        let rules = self.rules();
        let limit = rules.limits.timestamp;
        let envelope = Envelope::<Timestamp>::parse(Role::Timestamp, &file, limit, &rules);
        let Ok(envelope) = envelope else {
            // The store is not trusted; the next publication replaces what stands there.
            return Ok(());
        };
        let found = envelope.peek_unverified();
        if found.version <= ours.version {
            return Ok(());
        }
        let chain = self.root_chain()?;
        let root = chain.root();
        let authority = Authority::new("root", &root.keys, &root.timestamp);
        if !envelope.tally(&authority).is_met() {
            return Ok(());
        }
        let hashes = found.snapshot.hashes.as_ref();
        let same_bytes = hashes.and_then(metadata::Hashes::get_sha256) == Some(snapshot.sha256);
        if found.snapshot.version == snapshot.version && same_bytes {
            let renewed = BTreeMap::from([(Role::Timestamp, found.version)]);
            return self.state.give_up(&renewed, None);
        }
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
        let given_up = self.highest_versions()?;
        // First, and again if we die before the head moves: the next cycle still finds itself behind.
        self.state.give_up(&given_up, Some(expires))?;
        self.state.clear_staged()?;
        let mut staged = self.take_over(&published)?;
        staged.signed = self.state.head()?.signed.map_or(now, |last| last.max(now));
        let report = RestoreReport {
            timestamp: published.snapped.timestamp().version,
            files_found: staged.files.len(),
            files_gone: staged.gone.len(),
            given_up,
        };
        let incoming = self.incoming();
        publish(self.state.as_mut(), self.store.as_mut(), &incoming, &staged)?;
        Ok(report)
    }

    fn published_timestamp(&self) -> Result<Option<Vec<u8>>, RepositoryError> {
        let limit = self.rules().limits.timestamp;
        match StorePath::metadata("timestamp.json") {
            Some(path) => Ok(self.store.get(&path, limit)?),
            None => Ok(None),
        }
    }

    /// The roots from the state's on, as far as the store has them.
    fn root_chain(&self) -> Result<RootChain, RepositoryError> {
        // The other roles of an old state may have been swept since.
        let mut roles = self.roles_by_name()?;
        roles.retain(|role, _| *role == Role::Root);
        let before = self.read_before(&roles, None)?;
        let root = before.root.ok_or(RepositoryError::NoRoles)?;
        let rules = self.rules();
        let limit = rules.limits.root;
        let refused = |source| RepositoryError::Rehearsal { source };
        let mut chain = RootChain::pinned(&root, rules).map_err(refused)?;
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
        let roots = self.read_role(&Role::Root, chain.root().version, u64::MAX)?;
        let timestamp = self
            .published_timestamp()?
            .ok_or(RepositoryError::NothingPublished)?;
        let rules = self.rules();
        let limit = rules.limits.timestamp;
        let envelope = Envelope::<Timestamp>::parse(Role::Timestamp, &timestamp, limit, &rules);
        let envelope = envelope.map_err(refused)?;
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
        let mut each = Vec::new();
        for edge in bins.all_edges() {
            let role = Role::Delegated(edge.name().clone());
            each.push(snapped.delegate(&edge, &fetch(&role)?).map_err(refused)?);
        }
        Ok(Published {
            root: roots,
            snapped,
            targets,
            bins,
            each,
        })
    }

    fn read_role(
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

    /// The highest version of each role among the metadata files of the store: published, or put by a
    /// cycle that died. None of them may be used again.
    fn highest_versions(&self) -> Result<BTreeMap<Role, Version>, RepositoryError> {
        let mut highest = BTreeMap::new();
        for path in self.store.list()? {
            let Some(name) = path.as_str().strip_prefix("metadata/") else {
                continue;
            };
            let parsed = name
                .strip_suffix(".json")
                .and_then(|name| name.split_once('.'))
                .and_then(|(version, role)| {
                    let version = Version::new(version.parse().ok()?).ok()?;
                    Some((Role::parse(role).ok()?, version))
                });
            // Roots are consecutive and come from ceremonies: they are not given out here.
            if let Some((role, version)) = parsed.filter(|(role, _)| *role != Role::Root) {
                let known = highest.entry(role).or_insert(version);
                *known = version.max(*known);
            }
        }
        if let Some(file) = self.published_timestamp()? {
            let wire = Wire::parse(&file, usize::MAX)?;
            let version = Timestamp::parse(wire.signed)?.version;
            highest.insert(Role::Timestamp, version);
        }
        Ok(highest)
    }

    /// The rows that make the state say what is published, as the work of one cycle.
    fn take_over(&self, published: &Published) -> Result<Staged, RepositoryError> {
        let mut staged = Staged {
            base: self.state.head()?.generation,
            roles: published.records(&self.settings)?,
            ..Staged::default()
        };
        let mut pages = Vec::new();
        let mut listed = BTreeMap::new();
        for (number, bin) in published.each.iter().enumerate() {
            let number = u16::try_from(number).unwrap_or(u16::MAX);
            let mut known: BTreeMap<TargetPath, (u64, Sha256)> = self
                .state
                .bin_targets(number)?
                .into_iter()
                .map(|(path, length, digest)| (path, (length, digest)))
                .collect();
            for (path, file) in bin.targets() {
                let digest = file
                    .hashes
                    .get_sha256()
                    .ok_or(RepositoryError::NotInStore {
                        what: path.to_string(),
                    })?;
                listed.insert(path.clone(), file.length);
                if let Some(project) = project_of_page(path) {
                    pages.push((project, path.clone(), file.length, digest));
                }
                if known.remove(path) != Some((file.length, digest)) {
                    staged.targets.push(TargetRecord {
                        bin: number,
                        path: path.clone(),
                        file: Some((file.length, digest)),
                    });
                }
            }
            staged
                .targets
                .extend(known.into_keys().map(|path| TargetRecord {
                    bin: number,
                    path,
                    file: None,
                }));
        }
        for (project, path, length, digest) in pages {
            self.take_over_page(&project, &path, (length, digest), &listed, &mut staged)?;
        }
        let timestamp = published.snapped.timestamp().file().to_vec();
        staged.objects.push(Object {
            phase: Phase::Timestamp,
            path: "metadata/timestamp.json".to_owned(),
            source: Source::Bytes(timestamp),
        });
        Ok(staged)
    }

    fn take_over_page(
        &self,
        project: &ProjectName,
        path: &TargetPath,
        (length, digest): (u64, Sha256),
        listed: &BTreeMap<TargetPath, u64>,
        staged: &mut Staged,
    ) -> Result<(), RepositoryError> {
        let missing = || RepositoryError::NotInStore {
            what: path.to_string(),
        };
        let at = StorePath::target(path, &digest).ok_or_else(missing)?;
        let bytes = self.store.get_checked(&at, length, digest)?;
        let page = SimplePage::parse_json(&bytes, project, &PageLimits::default())?;
        let mut known: BTreeMap<String, FileRecord> = self
            .state
            .files(project)?
            .into_iter()
            .map(|file| (file.filename.as_str().to_owned(), file))
            .collect();
        for file in page.files() {
            let before = known.remove(file.filename.as_str());
            let core = match file.core_metadata {
                None => None,
                Some(digest) => Some((digest, self.metadata_size(file, digest, listed)?)),
            };
            let record = FileRecord {
                filename: file.filename.clone(),
                sha256: file.sha256,
                size: file.size,
                requires_python: file.requires_python.clone(),
                uploaded: file.upload_time.unwrap_or_default(),
                core_metadata: core,
                yanked: file.yanked.clone(),
            };
            if before.as_ref() != Some(&record) {
                staged.files.push(record);
            }
        }
        staged
            .gone
            .extend(known.into_values().map(|file| file.filename));
        Ok(())
    }

    /// A page does not say how large a file's core metadata is: the bins do, or the store.
    fn metadata_size(
        &self,
        file: &PageFile,
        digest: Sha256,
        listed: &BTreeMap<TargetPath, u64>,
    ) -> Result<u64, RepositoryError> {
        let path = metadata_path(&file.filename);
        if let Some(length) = listed.get(&path) {
            return Ok(*length);
        }
        let limit = self.settings.policy.client.page_bytes;
        let missing = || RepositoryError::NotInStore {
            what: path.to_string(),
        };
        let at = StorePath::target(&path, &digest).ok_or_else(missing)?;
        Ok(self.store.get_checked(&at, limit, digest)?.len() as u64)
    }
}

/// All that is published, verified.
struct Published {
    root: Vec<u8>,
    snapped: Snapped,
    targets: Verified<Targets>,
    bins: Verified<Targets>,
    /// In the order of their numbers.
    each: Vec<Verified<Targets>>,
}

impl Published {
    fn records(&self, settings: &crate::Settings) -> Result<Vec<RoleRecord>, RepositoryError> {
        let (_, bin_keys) = check_layout(self.bins.document(), settings)?;
        let bin_listing = if same_keys(bin_keys, &self.snapped.root().snapshot) {
            Listing::Version
        } else {
            Listing::Full
        };
        let root = self.snapped.root();
        let mut records = vec![
            record_of(root, &self.root, Listing::None),
            record_of(
                self.snapped.timestamp(),
                self.snapped.timestamp().file(),
                Listing::None,
            ),
            record_of(
                self.snapped.snapshot(),
                self.snapped.snapshot().file(),
                Listing::None,
            ),
        ];
        for role in [&self.targets, &self.bins] {
            records.push(record_of(role, role.file(), Listing::Full));
        }
        for bin in &self.each {
            records.push(record_of(bin, bin.file(), bin_listing));
        }
        Ok(records)
    }
}

fn record_of<R: Document>(role: &Verified<R>, file: &[u8], listing: Listing) -> RoleRecord {
    RoleRecord {
        role: role.role().clone(),
        version: role.document().version(),
        sha256: Sha256::of(file),
        length: file.len() as u64,
        expires: role.document().expires().instant(),
        listing,
    }
}

/// The project whose page a target is.
fn project_of_page(path: &TargetPath) -> Option<ProjectName> {
    let name = path.as_str().strip_prefix("simple/")?.split('/').nth(1)?;
    let project = ProjectName::parse_normalized(name).ok()?;
    (page_path(&project) == *path).then_some(project)
}
