//! Pointers that somebody damaged or deleted behind our back are put again: clients read them first, and
//! until their content changes no cycle would write them.

use chrono::{DateTime, Utc};
use index::{SimplePage, Status, mirror_url, page_path};
use metadata::{Sha256, TargetPath, Timestamp, Wire};

use crate::error::RepositoryError;
use crate::pages::page_file;
use crate::record::FileRecord;
use crate::repository::Repository;
use crate::store::StorePath;

/// How long a cycle looks at the mirror pages of the same projects, in seconds.
const TURN: i64 = 60;

impl Repository {
    /// Puts `timestamp.json` again if it is not what was published, and pages of the plain mirror: some
    /// in each cycle, all of them in turn.
    pub(crate) fn mend_pointers(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Vec<StorePath>, RepositoryError> {
        self.store.begin_pointers()?;
        let mended = self.mend(now);
        self.store.end_pointers();
        mended
    }

    fn mend(&mut self, now: DateTime<Utc>) -> Result<Vec<StorePath>, RepositoryError> {
        self.state.check_writer()?;
        let mut mended: Vec<StorePath> = self.mend_timestamp()?.into_iter().collect();
        let count = self.state.project_count()?;
        let at_once = self.store.pages_per_cycle();
        if let Some(turns) = count.div_ceil(at_once).checked_sub(1) {
            let turn = now.timestamp().div_euclid(TURN).unsigned_abs() % (turns + 1);
            let projects = self.state.some_projects(turn * at_once, at_once)?;
            let pages: Vec<_> = projects.iter().map(page_path).collect();
            let bin = |page: &TargetPath| self.settings.layout.count.bin_of(&page.hash()).get();
            let places: Vec<_> = pages.iter().map(|page| (bin(page), page)).collect();
            let targets = self.state.targets_at(&places)?;
            let projects: Vec<_> = projects.iter().collect();
            let mut files = self.state.files_of(&projects)?;
            for (project, page) in projects.into_iter().zip(&pages) {
                if let Some(target) = targets.get(page) {
                    let files = files.remove(project).unwrap_or_default();
                    self.mend_mirror(project, *target, &files, &mut mended)?;
                }
            }
        }
        if !mended.is_empty() {
            self.store.flush()?;
        }
        Ok(mended)
    }

    fn mend_timestamp(&mut self) -> Result<Option<StorePath>, RepositoryError> {
        let Some(ours) = self.state.head()?.timestamp else {
            return Ok(None);
        };
        let Some(path) = StorePath::metadata("timestamp.json") else {
            return Ok(None);
        };
        let found = self.published_timestamp().unwrap_or_default();
        // A newer one of the same snapshot is by a machine that holds the timestamp key only; anything
        // else that is newer has ended the cycle before.
        let is_newer = found.as_deref().is_some_and(|found| {
            let version = |file| {
                let wire = Wire::parse(file, usize::MAX).ok()?;
                Some(
                    <Timestamp as metadata::Document>::parse(wire.signed)
                        .ok()?
                        .version,
                )
            };
            self.is_by_the_timestamp_key(found) && version(found) > version(&ours)
        });
        if is_newer || found.as_deref() == Some(&*ours) {
            return Ok(None);
        }
        self.store.put_pointer(&path, &ours)?;
        Ok(Some(path))
    }

    /// Only pages that are published as the state says: their bytes follow from it.
    fn mend_mirror(
        &mut self,
        project: &index::ProjectName,
        (length, digest): (u64, Sha256),
        files: &[FileRecord],
        mended: &mut Vec<StorePath>,
    ) -> Result<(), RepositoryError> {
        let Some([(html_path, html), (json_path, json)]) = mirror_pages(project, files)? else {
            return Ok(());
        };
        let found = self.store.get(&json_path, length).unwrap_or_default();
        let is_good = found.is_some_and(|found| Sha256::of(&found) == digest);
        let found = self.store.get(&html_path, html.len() as u64);
        if found.unwrap_or_default().as_ref() != Some(&html) {
            self.store.put_pointer(&html_path, &html)?;
            mended.push(html_path);
        }
        if !is_good {
            self.store.put_pointer(&json_path, &json)?;
            mended.push(json_path);
        }
        Ok(())
    }
}

/// A page of the plain mirror: where it lies, and its bytes.
pub(crate) type Page = (StorePath, Vec<u8>);

/// The pages of the plain mirror of a project with these files.
pub(crate) fn mirror_pages(
    project: &index::ProjectName,
    files: &[FileRecord],
) -> Result<Option<[Page; 2]>, RepositoryError> {
    let json_path = StorePath::mirror_page(project, "index.json");
    let html_path = StorePath::mirror_page(project, "index.html");
    let (Some(json_path), Some(html_path)) = (json_path, html_path) else {
        return Ok(None);
    };
    let page = SimplePage::new(
        project.clone(),
        files.iter().map(page_file).collect(),
        Status::default(),
    )?;
    let html = page.render_html(mirror_url).into_bytes();
    Ok(Some([(html_path, html), (json_path, page.render_json())]))
}
