//! Project pages as installers get to see them, kept in memory for the time of a session.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use client::{ClientError, ProjectPage, Session, Withheld};
use index::{PageFile, ProjectName, SimplePage};
use metadata::Sha256;

use crate::problem::Problem;
use crate::state::ProxyState;

/// Pages kept; with one more all are dropped.
const KEPT: usize = 2_000;

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

#[derive(Default)]
pub(crate) struct Views(Mutex<BTreeMap<ProjectName, Arc<View>>>);

impl Views {
    fn get(&self, project: &ProjectName) -> Option<Arc<View>> {
        self.kept().get(project).cloned()
    }

    fn keep(&self, project: &ProjectName, view: &Arc<View>) {
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(project.clone(), Arc::clone(view));
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<ProjectName, Arc<View>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProxyState {
    /// The page of a project in a session.
    ///
    /// Files that a terminating role does not list are left out: their project's developers have
    /// not signed them. Files whose role failed stay listed, without core metadata, so that an
    /// installer which picks one is told why it does not get it, instead of quietly taking another.
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
        let listing = session.listing(page).await;
        let mut files = listing.page.files().to_vec();
        let mut last_left_out = None;
        for Withheld { file, error } in listing.withheld {
            let problem = Problem::from(&error).about(file.filename.as_str());
            if matches!(error, ClientError::Terminated { .. }) {
                self.recorder.withheld(&problem);
                last_left_out = Some(problem);
            } else {
                files.push(PageFile {
                    core_metadata: None,
                    ..file
                });
            }
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
}
