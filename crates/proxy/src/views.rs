//! Project pages as installers get to see them, kept in memory for the time of a session.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use client::{ClientError, ProjectPage, Session, Withheld};
use index::{METADATA_SUFFIX, PageFile, ProjectName, SimplePage};
use metadata::Sha256;

use crate::problem::Problem;
use crate::upstream::Upstream;

/// What a page counts at least: that many tiny ones are large in memory, too.
const LEAST_WEIGHT: u64 = 4_096;

/// A verified page, and what of it is shown.
pub(crate) struct View {
    session: (Sha256, DateTime<Utc>),
    page: ProjectPage,
    shown: SimplePage,
}

impl View {
    /// The page as verified.
    pub(crate) fn page(&self) -> &ProjectPage {
        &self.page
    }

    /// The page as shown.
    pub(crate) fn shown(&self) -> &SimplePage {
        &self.shown
    }
}

/// Pages in memory, within a limit of bytes.
pub(crate) struct Views(Mutex<Kept<Arc<View>>>);

/// Pages of any kind, within a limit of bytes as signed; in memory each is a few times as large. With one
/// page more than that all are dropped, and a page beyond it alone is not kept.
pub(crate) struct Kept<V> {
    views: BTreeMap<ProjectName, (u64, V)>,
    bytes: u64,
    limit: u64,
}

impl<V> Kept<V> {
    pub(crate) fn within(limit: u64) -> Self {
        Self {
            views: BTreeMap::new(),
            bytes: 0,
            limit,
        }
    }

    pub(crate) fn get(&self, project: &ProjectName) -> Option<&V> {
        self.views.get(project).map(|(_, view)| view)
    }

    pub(crate) fn keep(&mut self, project: &ProjectName, length: u64, view: V) {
        let weight = length.max(LEAST_WEIGHT);
        if let Some((before, _)) = self.views.remove(project) {
            self.bytes -= before;
        }
        if self.bytes.saturating_add(weight) > self.limit {
            *self = Self::within(self.limit);
        }
        if weight <= self.limit {
            self.bytes += weight;
            self.views.insert(project.clone(), (weight, view));
        }
    }
}

impl Views {
    pub(crate) fn within(limit: u64) -> Self {
        Self(Mutex::new(Kept::within(limit)))
    }

    fn get(&self, project: &ProjectName) -> Option<Arc<View>> {
        self.kept().get(project).cloned()
    }

    fn keep(&self, project: &ProjectName, view: &Arc<View>) {
        let length = view.page.target().file().length;
        self.kept().keep(project, length, Arc::clone(view));
    }

    fn kept(&self) -> MutexGuard<'_, Kept<Arc<View>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upstream {
    /// The page of a project in a session.
    ///
    /// Files that a terminating role does not list are left out: their project's developers have
    /// not signed them. So is core metadata that is not what they signed. Files that they signed with
    /// other bytes, or whose role failed, stay listed, without core metadata, so that an installer which
    /// picks one is told why it does not get it, instead of quietly taking another. What they signed
    /// and the page does not show is reported, or the page refused where that is asked for.
    pub(crate) async fn view(
        &self,
        session: &Session,
        project: &ProjectName,
    ) -> Result<Arc<View>, Problem> {
        // A later session has to look again even at the same snapshot: roles expire meanwhile.
        let snapped = session.snapped();
        let this = (snapped.snapshot().sha256(), snapped.now());
        let held = self.views.get(project);
        if let Some(view) = held.as_ref().filter(|view| view.session == this) {
            return Ok(Arc::clone(view));
        }
        let held = held.as_ref().map(|view| &view.page);
        let about = |error: ClientError| Problem::from(error).about(project.as_str());
        let page = session
            .project_page_from(project, held)
            .await
            .map_err(about)?;
        let shown = self.shown(session, &page).await?;
        let view = Arc::new(View {
            session: this,
            page,
            shown,
        });
        self.views.keep(project, &view);
        Ok(view)
    }

    async fn shown(&self, session: &Session, page: &ProjectPage) -> Result<SimplePage, Problem> {
        self.note_hidden(session, page).await?;
        let listing = session.listing(page).await;
        let mut files = listing.page.files().to_vec();
        for Withheld { file, error } in listing.without_metadata {
            let name = format!("{}{METADATA_SUFFIX}", file.filename);
            self.recorder.withheld(&Problem::from(&error).about(&name));
            let listed = files.iter_mut().find(|it| it.filename == file.filename);
            if let Some(listed) = listed {
                listed.core_metadata = None;
            }
        }
        let mut last_left_out = None;
        for Withheld { file, error } in listing.withheld {
            let problem = Problem::from(&error).about(file.filename.as_str());
            match error {
                ClientError::Terminated { .. } => {
                    self.recorder.withheld(&problem);
                    last_left_out = Some(problem);
                    continue;
                }
                ClientError::PageDisagrees { .. } => self.recorder.withheld(&problem),
                _ => {}
            }
            files.push(PageFile {
                core_metadata: None,
                ..file
            });
        }
        match last_left_out {
            Some(problem) if files.is_empty() => Err(problem),
            _ => {
                let (project, status) = (page.page().project(), page.page().status());
                SimplePage::new(project.clone(), files, status.clone())
                    .map_err(|error| Problem::from(ClientError::from(error)))
            }
        }
    }

    async fn note_hidden(&self, session: &Session, page: &ProjectPage) -> Result<(), Problem> {
        let hidden = session.hidden(page).await;
        for target in &hidden {
            self.recorder.hidden(target.path().file_name());
        }
        match hidden.last() {
            Some(target) if self.config().strict => Err(Problem::hidden(target)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_in_memory_are_bounded_by_their_bytes() {
        let project = |number: u64| ProjectName::parse(&format!("p{number}")).unwrap();
        let limit = 100 * LEAST_WEIGHT;
        let mut kept = Kept::within(limit);
        for number in 0..100 {
            kept.keep(&project(number), 1, ());
        }
        kept.keep(&project(0), 2, ());
        assert_eq!(kept.bytes, limit);
        kept.keep(&project(1), LEAST_WEIGHT + 1, ());
        assert_eq!((kept.views.len(), kept.bytes), (1, LEAST_WEIGHT + 1));
        kept.keep(&project(2), u64::MAX, ());
        assert_eq!((kept.views.len(), kept.bytes), (0, 0));
    }
}
