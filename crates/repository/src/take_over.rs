//! What is published, as the work of one cycle: the rows that make a restored state say the same.

use std::collections::{BTreeMap, BTreeSet};

use index::{PageFile, PageLimits, ProjectName, SimplePage, file_path, metadata_path, page_path};
use metadata::{Document, Role, Sha256, TargetPath, Targets, Version, Wire};
use trust::Verified;

use crate::batch::same_keys;
use crate::error::RepositoryError;
use crate::rebin::{Listed, Spread, bin_delegation};
use crate::record::{FileRecord, Listing, Object, Phase, RoleRecord, Source, Staged, TargetRecord};
use crate::repository::Repository;
use crate::restore::Published;
use crate::store::StorePath;

impl Repository {
    /// The rows that make the state say what is published, as the work of one cycle.
    /// `files` are the metadata files of the store.
    pub(crate) fn take_over(
        &self,
        published: &Published,
        files: &[(Role, Version)],
    ) -> Result<Staged, RepositoryError> {
        let layout = bin_delegation(&published.bins)?.layout;
        let mut staged = Staged {
            base: self.state.head()?.generation,
            roles: published.records()?,
            // A rebin since the backup.
            layout: (layout != self.settings.layout).then_some(layout),
            ..Staged::default()
        };
        let known = self.roles_by_name()?;
        self.take_over_others(published, &known, &mut staged)?;
        let names: BTreeSet<_> = staged.roles.iter().map(|record| &record.role).collect();
        let is_gone = |role: &&Role| matches!(role, Role::Delegated(_)) && !names.contains(role);
        let dropped: Vec<_> = known.keys().filter(is_gone).cloned().collect();
        let given_up = self.given_up_since(published, &known, files)?;
        staged.dropped = dropped;
        let (held, wanted) = (self.settings.layout.count, layout.count);
        let spread = Spread::new(self.state.as_ref(), held, wanted);
        let mut listed = BTreeMap::new();
        for bin in wanted.bins() {
            let role = Role::Delegated(layout.role_name(bin)?);
            let known = spread.targets(bin)?;
            if let Some(published) = published.each.get(&role) {
                take_over_bin(bin.get(), known, published, &mut listed, &mut staged)?;
            }
        }
        let by_developers = published.developers.targets();
        let by_developers = by_developers.filter_map(|(path, file)| {
            Some((path.clone(), (file.length, file.hashes.get_sha256()?)))
        });
        let by_developers: BTreeMap<_, _> = by_developers.collect();
        staged.withdrawn = given_up
            .into_iter()
            .filter(|file| !by_developers.contains_key(&file_path(file)))
            .collect();
        for (path, (length, digest)) in &listed {
            if let Some(project) = project_of_page(path) {
                let page = (path, *length, *digest);
                let listed = [&listed, &by_developers];
                self.take_over_page(&project, page, listed, &mut staged)?;
            }
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
        (path, length, digest): (&TargetPath, u64, Sha256),
        listed: [&BTreeMap<TargetPath, (u64, Sha256)>; 2],
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

    /// The roles that the snapshot lists and no walk has verified: those whose developers let them expire,
    /// and those that nothing delegates to any more. They stay listed as they are.
    fn take_over_others(
        &self,
        published: &Published,
        known: &BTreeMap<Role, RoleRecord>,
        staged: &mut Staged,
    ) -> Result<(), RepositoryError> {
        let walked: BTreeSet<_> = staged.roles.iter().map(|one| one.role.clone()).collect();
        for (name, listed) in published.snapped.snapshot().entries() {
            let role = name.strip_suffix(".json").unwrap_or(name);
            let role = Role::parse(role)?;
            if walked.contains(&role) {
                continue;
            }
            let sha256 = listed.hashes.and_then(metadata::Hashes::get_sha256);
            let is_it = |record: &&RoleRecord| {
                record.version == listed.version && sha256.is_none_or(|it| it == record.sha256)
            };
            if let Some(record) = known.get(&role).filter(is_it) {
                staged.roles.push(record.clone());
                continue;
            }
            let file = self.read_role(&role, listed.version, u64::MAX)?;
            if listed.hashes.is_some_and(|hashes| !hashes.fit(&file)) {
                let what = role.versioned_file_name(listed.version);
                return Err(RepositoryError::NotInStore { what });
            }
            let document = Targets::parse(Wire::parse(&file, usize::MAX)?.signed)?;
            staged.roles.push(RoleRecord {
                version: listed.version,
                sha256: Sha256::of(&file),
                length: file.len() as u64,
                expires: document.expires.instant(),
                listing: sha256.map_or(Listing::Version, |_| Listing::Full),
                role,
            });
        }
        Ok(())
    }

    /// A page does not say how large a file's core metadata is: who lists it does, or the store.
    fn metadata_size(
        &self,
        file: &PageFile,
        digest: Sha256,
        listed: [&BTreeMap<TargetPath, (u64, Sha256)>; 2],
    ) -> Result<u64, RepositoryError> {
        let path = metadata_path(&file.filename);
        if let Some((length, _)) = listed.iter().find_map(|listed| listed.get(&path)) {
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

fn take_over_bin(
    bin: u16,
    known: Vec<Listed>,
    published: &Verified<Targets>,
    listed: &mut BTreeMap<TargetPath, (u64, Sha256)>,
    staged: &mut Staged,
) -> Result<(), RepositoryError> {
    let mut known: BTreeMap<TargetPath, (u64, Sha256)> = known
        .into_iter()
        .map(|(path, length, digest)| (path, (length, digest)))
        .collect();
    for (path, file) in published.targets() {
        let missing = || RepositoryError::NotInStore {
            what: path.to_string(),
        };
        let digest = file.hashes.get_sha256().ok_or_else(missing)?;
        let file = (file.length, digest);
        listed.insert(path.clone(), file);
        if known.remove(path) != Some(file) {
            staged.targets.push(TargetRecord {
                bin,
                path: path.clone(),
                file: Some(file),
            });
        }
    }
    let gone = known.into_keys().map(|path| TargetRecord {
        bin,
        path,
        file: None,
    });
    staged.targets.extend(gone);
    Ok(())
}

impl Published {
    fn records(&self) -> Result<Vec<RoleRecord>, RepositoryError> {
        let bin_keys = bin_delegation(&self.bins)?.keys;
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
        for bin in self.each.values() {
            records.push(record_of(bin, bin.file(), bin_listing));
        }
        for role in self.developers.roles.values() {
            records.push(record_of(role, role.file(), Listing::Full));
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
