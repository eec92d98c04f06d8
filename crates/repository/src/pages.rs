//! Applies queued changes to projects and renders their pages: which files, targets and objects a
//! cycle brings about.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use draft::DelegatedProject;
use index::{
    BinIndex, DistributionFilename, PageFile, ProjectName, SimplePage, file_path, metadata_path,
    mirror_url, page_path,
};
use metadata::{Sha256, TargetPath};
use policy::TargetProfile;

use crate::change::{Change, ChangeId, Queued};
use crate::claim_record::{ClaimRecord, ClaimStage};
use crate::claim_set::ProjectChanges;
use crate::developers::{Developers, is_developers_own};
use crate::error::RepositoryError;
use crate::record::{FileRecord, Object, Phase, RoleRecord, Settings, Source, TargetRecord};
use crate::state::State;
use crate::store::StorePath;

/// What the queued changes come to.
#[derive(Default)]
pub(crate) struct Applied {
    /// Files that are new, and how the rest goes: `Err` holds why a change could not be applied.
    pub(crate) outcomes: Vec<(ChangeId, Result<(), String>)>,
    pub(crate) files: Vec<FileRecord>,
    pub(crate) gone: Vec<DistributionFilename>,
    /// By bin, then path; `None` for targets that go.
    pub(crate) targets: BTreeMap<u16, BTreeMap<TargetPath, Option<(u64, Sha256)>>>,
    pub(crate) objects: Vec<Object>,
    /// Pages, in project order: what the rehearsal looks up.
    pub(crate) pages: Vec<(TargetPath, Sha256)>,
    /// What developers bring about.
    pub(crate) developers: AppliedDevelopers,
}

/// What the queued changes of developers come to.
#[derive(Default)]
pub(crate) struct AppliedDevelopers {
    /// New versions of projects' roles.
    pub(crate) roles: Vec<RoleRecord>,
    /// Claims as they will be; `None` for those that go.
    pub(crate) claims: Vec<(ProjectName, Option<ClaimRecord>)>,
    /// Files given up.
    pub(crate) withdrawn: Vec<DistributionFilename>,
    /// Whether `recently-claimed` gets other projects or other keys.
    pub(crate) delegations_change: bool,
    /// Projects that the rehearsal visits, and whether their own role speaks for them then.
    pub(crate) visit: Vec<(ProjectName, bool)>,
    /// New files that projects' roles list: what the rehearsal looks up.
    pub(crate) files: Vec<(TargetPath, Sha256)>,
}

impl Applied {
    /// The bins whose content changes.
    pub(crate) fn bins(&self, settings: &Settings) -> BTreeSet<BinIndex> {
        let bins = self.targets.keys();
        bins.filter_map(|bin| settings.layout.count.bin(*bin))
            .collect()
    }

    pub(crate) fn target_records(&self) -> Vec<TargetRecord> {
        let mut records = Vec::new();
        for (bin, targets) in &self.targets {
            records.extend(targets.iter().map(|(path, file)| TargetRecord {
                bin: *bin,
                path: path.clone(),
                file: *file,
            }));
        }
        records
    }
}

/// Does what offline roles say of projects, then applies changes in journal order, so that the result is that of serial processing (DESIGN §6).
pub(crate) fn apply(
    state: &dyn State,
    settings: &Settings,
    changes: &ProjectChanges,
    queued: &[&Queued],
    now: DateTime<Utc>,
) -> Result<Applied, RepositoryError> {
    let mut projects: BTreeMap<ProjectName, Project> = BTreeMap::new();
    let mut applied = Applied::default();
    for (name, change) in changes {
        let mut project = Project::load(state, settings, name)?;
        project.developers.follow(*change, now);
        projects.insert(name.clone(), project);
    }
    for Queued {
        id,
        accepted,
        change,
    } in queued
    {
        let name = change.project();
        if !projects.contains_key(name) {
            projects.insert(name.clone(), Project::load(state, settings, name)?);
        }
        if let Some(project) = projects.get_mut(name) {
            applied
                .outcomes
                .push((*id, project.apply(change, *accepted)));
        }
    }
    for (name, project) in &projects {
        project.render(name, settings, &mut applied)?;
    }
    Ok(applied)
}

/// A project's files by name, and its developers' part, as published and as they will be.
#[derive(Clone)]
pub(crate) struct Project {
    before: BTreeMap<String, FileRecord>,
    pub(crate) now: BTreeMap<String, FileRecord>,
    developers_before: Developers,
    pub(crate) developers: Developers,
}

impl Project {
    pub(crate) fn load(
        state: &dyn State,
        settings: &Settings,
        name: &ProjectName,
    ) -> Result<Self, RepositoryError> {
        let by_name = |file: FileRecord| (file.filename.as_str().to_owned(), file);
        let before: BTreeMap<_, _> = state.files(name)?.into_iter().map(by_name).collect();
        let developers = if settings.policy.claims.is_some() {
            Developers::load(state, name)?
        } else {
            Developers::default()
        };
        Ok(Self {
            now: before.clone(),
            before,
            developers_before: developers.clone(),
            developers,
        })
    }

    pub(crate) fn apply(&mut self, change: &Change, accepted: DateTime<Utc>) -> Result<(), String> {
        if let Some(why) = is_developers_own(change).filter(|_| self.developers.sign()) {
            return Err(why);
        }
        match change {
            Change::Claim(granted) => {
                self.developers.register(granted, accepted);
                Ok(())
            }
            Change::Transaction(transaction) => {
                self.developers.take(transaction, &mut self.now, accepted)
            }
            Change::Release(project) => self.developers.release(project),
            Change::Add(file) => match self.now.get(file.filename.as_str()) {
                Some(present) if present.sha256 == file.sha256 => Ok(()),
                Some(present) => Err(format!(
                    "`{}` is published with other bytes ({})",
                    file.filename, present.sha256
                )),
                None => {
                    self.now
                        .insert(file.filename.as_str().to_owned(), file.clone());
                    Ok(())
                }
            },
            Change::Remove(filename) => match self.now.remove(filename.as_str()) {
                Some(_) => Ok(()),
                None => Err(format!("`{filename}` is not on the index")),
            },
            Change::Yank(filename, yanked) => match self.now.get_mut(filename.as_str()) {
                Some(file) => {
                    file.yanked = yanked.clone();
                    Ok(())
                }
                None => Err(format!("`{filename}` is not on the index")),
            },
        }
    }

    fn render(
        &self,
        name: &ProjectName,
        settings: &Settings,
        applied: &mut Applied,
    ) -> Result<(), RepositoryError> {
        let (signed_before, signed) = (self.developers_before.sign(), self.developers.sign());
        if self.developers_before != self.developers {
            self.render_developers(name, applied);
        }
        for (filename, file) in &self.before {
            let is_gone = !self.now.contains_key(filename);
            if is_gone {
                applied.gone.push(file.filename.clone());
            }
            // What the project's role speaks for stands in no bin (PEP 480).
            if !signed_before && (is_gone || signed) {
                set_targets(file, settings, applied, false);
            }
        }
        for (filename, file) in &self.now {
            match self.before.get(filename) {
                Some(before) if before.uploaded == file.uploaded => {
                    if before != file {
                        // Yanked, or not any more: the bytes are in the store already.
                        applied.files.push(file.clone());
                    }
                    if signed_before && !signed {
                        set_targets(file, settings, applied, true);
                    }
                }
                _ => {
                    add_file(file, applied);
                    if signed {
                        let listed = targets_of(file).into_iter();
                        let listed = listed.map(|(path, (_, digest))| (path, digest));
                        applied.developers.files.extend(listed);
                    } else {
                        set_targets(file, settings, applied, true);
                    }
                }
            }
        }
        if self.before == self.now {
            return Ok(());
        }
        self.render_page(name, settings, applied)
    }

    fn render_developers(&self, name: &ProjectName, applied: &mut Applied) {
        let (before, now) = (&self.developers_before, &self.developers);
        for (role, record) in &now.roles {
            if before.roles.get(role) == Some(record) {
                continue;
            }
            let file = role.versioned_file_name(record.version);
            if let Some(path) = StorePath::metadata(&file) {
                applied.objects.push(Object {
                    phase: Phase::Immutable,
                    path: path.as_str().to_owned(),
                    source: Source::Incoming(record.sha256),
                });
            }
            applied.developers.roles.push(record.clone());
        }
        let developers = &mut applied.developers;
        if before.claim != now.claim {
            developers.claims.push((name.clone(), now.claim.clone()));
        }
        let gone = now.withdrawn.difference(&before.withdrawn);
        let gone = gone.filter_map(|gone| DistributionFilename::parse_for(gone, name).ok());
        developers.withdrawn.extend(gone);
        developers.delegations_change |= recently_claimed(before) != recently_claimed(now);
        let moved = Developers {
            claim: now.claim.clone(),
            ..before.clone()
        };
        // Of those that are moved as they are, the rehearsal verifies the role under its new delegator.
        if (before.sign() || now.sign()) && (moved != *now || before.sign() != now.sign()) {
            developers.visit.push((name.clone(), now.sign()));
        }
    }

    fn render_page(
        &self,
        name: &ProjectName,
        settings: &Settings,
        applied: &mut Applied,
    ) -> Result<(), RepositoryError> {
        let files = self.now.values().map(page_file).collect();
        let page = SimplePage::new(name.clone(), files, index::Status::default())?;
        let json = page.render_json();
        let (path, digest) = (page_path(name), Sha256::of(&json));
        set_target(
            settings,
            applied,
            path.clone(),
            Some((json.len() as u64, digest)),
        );
        let html = page.render_html(mirror_url).into_bytes();
        let mut put = |phase, at: Option<StorePath>, bytes| {
            if let Some(at) = at {
                let path = at.as_str().to_owned();
                applied.objects.push(Object {
                    phase,
                    path,
                    source: Source::Bytes(bytes),
                });
            }
        };
        put(
            Phase::Immutable,
            StorePath::target(&path, &digest),
            json.clone(),
        );
        put(
            Phase::Mirror,
            StorePath::mirror_page(name, "index.json"),
            json,
        );
        put(
            Phase::Mirror,
            StorePath::mirror_page(name, "index.html"),
            html,
        );
        applied.pages.push((path, digest));
        Ok(())
    }
}

pub(crate) fn page_file(file: &FileRecord) -> PageFile {
    PageFile {
        filename: file.filename.clone(),
        sha256: file.sha256,
        size: file.size,
        requires_python: file.requires_python.clone(),
        upload_time: Some(file.uploaded),
        yanked: file.yanked.clone(),
        core_metadata: file.core_metadata.map(|(digest, _)| digest),
    }
}

/// The targets a file brings with it: itself, and its core metadata (reference fact 22).
fn targets_of(file: &FileRecord) -> Vec<(TargetPath, (u64, Sha256))> {
    let mut targets = vec![(file_path(&file.filename), (file.size, file.sha256))];
    if let Some((digest, size)) = file.core_metadata {
        targets.push((metadata_path(&file.filename), (size, digest)));
    }
    targets
}

/// What `recently-claimed` says of the project, if anything.
fn recently_claimed(developers: &Developers) -> Option<DelegatedProject> {
    let claim = developers.claim.as_ref()?;
    let is_recent = claim.stage == ClaimStage::RecentlyClaimed;
    claim.delegated().filter(|_| is_recent)
}

fn add_file(file: &FileRecord, applied: &mut Applied) {
    applied.files.push(file.clone());
    for (path, (_, digest)) in targets_of(file) {
        let Some(at) = StorePath::target(&path, &digest) else {
            continue;
        };
        let at = at.as_str().to_owned();
        let plain = StorePath::plain(&path).as_str().to_owned();
        let put = |path, source| Object {
            phase: Phase::Immutable,
            path,
            source,
        };
        applied
            .objects
            .push(put(at.clone(), Source::Incoming(digest)));
        applied.objects.push(put(plain, Source::Link(at)));
    }
}

/// Lists a file's targets in the bins, or no more, if files are targets of bins at all.
fn set_targets(file: &FileRecord, settings: &Settings, applied: &mut Applied, is_listed: bool) {
    if settings.profile != TargetProfile::PagesAndFiles {
        return;
    }
    for (path, found) in targets_of(file) {
        set_target(settings, applied, path, is_listed.then_some(found));
    }
}

fn set_target(
    settings: &Settings,
    applied: &mut Applied,
    path: TargetPath,
    file: Option<(u64, Sha256)>,
) {
    let bin = settings.layout.count.bin_of(&path.hash()).get();
    applied.targets.entry(bin).or_default().insert(path, file);
}
