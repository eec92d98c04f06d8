//! Pointers that somebody damaged or deleted behind our back are put again: clients read them first, and
//! until their content changes no cycle would write them.

use chrono::{DateTime, Utc};
use index::{SimplePage, Status, mirror_url, page_path};
use metadata::{Timestamp, Wire};

use crate::error::RepositoryError;
use crate::pages::page_file;
use crate::repository::Repository;
use crate::store::StorePath;

/// How long a cycle looks at the mirror pages of the same projects, in seconds.
const TURN: i64 = 60;

/// A page of the plain mirror: where it lies, and its bytes.
pub(crate) type Page = (StorePath, Vec<u8>);

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
            for project in self.state.some_projects(turn * at_once, at_once)? {
                self.mend_mirror(&project, &mut mended)?;
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
        mended: &mut Vec<StorePath>,
    ) -> Result<(), RepositoryError> {
        for (path, bytes) in self.mirror_pages(project)?.into_iter().flatten() {
            let found = self.store.get(&path, bytes.len() as u64);
            if found.unwrap_or_default().as_ref() != Some(&bytes) {
                self.store.put_pointer(&path, &bytes)?;
                mended.push(path);
            }
        }
        Ok(())
    }

    /// The pages of the plain mirror of a project, if it has any, and where they lie.
    pub(crate) fn mirror_pages(
        &self,
        project: &index::ProjectName,
    ) -> Result<Option<[Page; 2]>, RepositoryError> {
        let target = page_path(project);
        let bin = self.settings.layout.count.bin_of(&target.hash()).get();
        if self.state.target(bin, &target)?.is_none() {
            return Ok(None);
        }
        let json_path = StorePath::mirror_page(project, "index.json");
        let html_path = StorePath::mirror_page(project, "index.html");
        let (Some(json_path), Some(html_path)) = (json_path, html_path) else {
            return Ok(None);
        };
        let files = self.state.files(project)?;
        let page = SimplePage::new(
            project.clone(),
            files.iter().map(page_file).collect(),
            Status::default(),
        )?;
        let html = page.render_html(mirror_url).into_bytes();
        Ok(Some([(html_path, html), (json_path, page.render_json())]))
    }
}
