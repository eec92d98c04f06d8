//! Applies queued changes to projects and renders their pages: which files, targets and objects a
//! cycle brings about.

use std::collections::{BTreeMap, BTreeSet};

use index::{
    BinIndex, DistributionFilename, PageFile, ProjectName, SimplePage, file_path, metadata_path,
    mirror_url, page_path,
};
use metadata::{Sha256, TargetPath};
use policy::TargetProfile;

use crate::change::{Change, ChangeId, Queued};
use crate::error::RepositoryError;
use crate::record::{FileRecord, Object, Phase, Settings, Source, TargetRecord};
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

/// Applies changes in journal order, so that the result is that of serial processing (DESIGN §6).
pub(crate) fn apply(
    state: &dyn State,
    settings: &Settings,
    queued: &[&Queued],
) -> Result<Applied, RepositoryError> {
    let mut projects: BTreeMap<ProjectName, Project> = BTreeMap::new();
    let mut applied = Applied::default();
    for Queued { id, change, .. } in queued {
        let name = change.filename().project();
        if !projects.contains_key(name) {
            projects.insert(name.clone(), Project::load(state, name)?);
        }
        if let Some(project) = projects.get_mut(name) {
            applied.outcomes.push((*id, project.apply(change)));
        }
    }
    for (name, project) in &projects {
        if project.before != project.now {
            project.render(name, settings, &mut applied)?;
        }
    }
    Ok(applied)
}

/// A project's files by name, as published and as they will be.
pub(crate) struct Project {
    before: BTreeMap<String, FileRecord>,
    pub(crate) now: BTreeMap<String, FileRecord>,
}

impl Project {
    pub(crate) fn load(state: &dyn State, name: &ProjectName) -> Result<Self, RepositoryError> {
        let by_name = |file: FileRecord| (file.filename.as_str().to_owned(), file);
        let before: BTreeMap<_, _> = state.files(name)?.into_iter().map(by_name).collect();
        Ok(Self {
            now: before.clone(),
            before,
        })
    }

    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), String> {
        match change {
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
        for (filename, file) in &self.before {
            if !self.now.contains_key(filename) {
                applied.gone.push(file.filename.clone());
                if settings.profile == TargetProfile::PagesAndFiles {
                    for (path, _) in targets_of(file) {
                        set_target(settings, applied, path, None);
                    }
                }
            }
        }
        for (filename, file) in &self.now {
            match self.before.get(filename) {
                Some(before) if before == file => {}
                // Yanked, or not any more: the bytes are in the store already.
                Some(before) if before.uploaded == file.uploaded => {
                    applied.files.push(file.clone());
                }
                _ => add_file(file, settings, applied),
            }
        }
        self.render_page(name, settings, applied)
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

fn add_file(file: &FileRecord, settings: &Settings, applied: &mut Applied) {
    applied.files.push(file.clone());
    for (path, (length, digest)) in targets_of(file) {
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
        if settings.profile == TargetProfile::PagesAndFiles {
            set_target(settings, applied, path, Some((length, digest)));
        }
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
