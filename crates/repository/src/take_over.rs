//! What is published, as the work of one cycle: the rows that make a restored state say the same.

use std::collections::BTreeMap;

use index::{PageFile, PageLimits, ProjectName, SimplePage, metadata_path, page_path};
use metadata::{Document, Role, Sha256, TargetPath, Targets};
use trust::Verified;

use crate::batch::same_keys;
use crate::error::RepositoryError;
use crate::rebin::{Listed, Spread, bin_delegation};
use crate::record::{FileRecord, Listing, Object, Phase, RoleRecord, Source, Staged, TargetRecord};
use crate::repository::Repository;
use crate::restore::Published;
use crate::status::is_bin;
use crate::store::StorePath;

impl Repository {
    /// The rows that make the state say what is published, as the work of one cycle.
    pub(crate) fn take_over(&self, published: &Published) -> Result<Staged, RepositoryError> {
        let layout = bin_delegation(&published.bins)?.layout;
        let mut staged = Staged {
            base: self.state.head()?.generation,
            roles: published.records()?,
            // A rebin since the backup.
            layout: (layout != self.settings.layout).then_some(layout),
            ..Staged::default()
        };
        let known = self.roles_by_name()?.into_keys();
        let is_gone = |role: &Role| !staged.roles.iter().any(|record| record.role == *role);
        staged.dropped = known.filter(|role| is_bin(role) && is_gone(role)).collect();
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
        for (path, (length, digest)) in &listed {
            if let Some(project) = project_of_page(path) {
                let page = (path, *length, *digest);
                self.take_over_page(&project, page, &listed, &mut staged)?;
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
        listed: &BTreeMap<TargetPath, (u64, Sha256)>,
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
        listed: &BTreeMap<TargetPath, (u64, Sha256)>,
    ) -> Result<u64, RepositoryError> {
        let path = metadata_path(&file.filename);
        if let Some((length, _)) = listed.get(&path) {
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
