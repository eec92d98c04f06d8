//! Reads every project page, and follows every file it binds to whoever speaks for it.

use std::ops::AddAssign;

use client::{ClientError, ProjectPage, Session, VerifiedFile};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use index::{IndexPath, PageFile, ProjectName};

use crate::at_once::fill;
use crate::finding::{Finding, Findings};
use crate::progress::{Progress, Stage};
use crate::reading::Reading;
use crate::source::Source;

/// What was read of pages and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) pages: u64,
    pub(crate) files: u64,
    pub(crate) files_seen: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.pages += more.pages;
        self.files += more.files;
        self.files_seen += more.files_seen;
    }
}

/// How files are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Files<'a> {
    pub(crate) source: &'a Source,
    pub(crate) session: &'a Session,
    /// Whether their bytes are read, or only seen to be there.
    pub(crate) read: bool,
}

/// Reads all pages that clients find.
pub(crate) async fn check_all(
    reading: &Reading,
    files: Files<'_>,
    findings: &mut Findings,
    progress: &dyn Progress,
) -> Counts {
    let projects: Vec<ProjectName> = reading
        .answering()
        .filter_map(|entry| match IndexPath::parse(&entry.path) {
            Ok(IndexPath::Page(project)) => Some(project),
            _ => None,
        })
        .collect();
    let total = projects.len() as u64;
    let (mut next, mut running) = (projects.into_iter(), FuturesOrdered::new());
    let mut counts = Counts::default();
    let mut done = 0;
    loop {
        fill(&mut running, &mut next, |project| files.page(project));
        let Some((found, more)) = running.next().await else {
            return counts;
        };
        done += 1;
        progress.step(Stage::Pages, done, total);
        counts += more;
        for finding in found {
            findings.add(finding);
        }
    }
}

impl Files<'_> {
    async fn page(self, project: ProjectName) -> (Vec<Finding>, Counts) {
        let mut counts = Counts::default();
        let page = match self.session.project_page(&project).await {
            Ok(page) => page,
            Err(error) => {
                let cause = error.into();
                return (vec![Finding::Page { project, cause }], counts);
            }
        };
        counts.pages += 1;
        let mut findings = Vec::new();
        for file in page.page().files() {
            if let Err(error) = self.page_file(&page, file, &mut counts).await {
                findings.push(Finding::PageFile {
                    project: project.clone(),
                    filename: file.filename.clone(),
                    cause: error.into(),
                });
            }
        }
        (findings, counts)
    }

    /// A file that a role lists is looked at among the targets; here is decided whether that role
    /// and the page agree.
    async fn page_file(
        self,
        page: &ProjectPage,
        file: &PageFile,
        counts: &mut Counts,
    ) -> Result<(), ClientError> {
        let verified = self.session.file(page, file).await?;
        self.bound_by_page(&verified, counts).await?;
        if file.core_metadata.is_some() {
            let metadata = self.session.core_metadata(page, file).await?;
            self.bound_by_page(&metadata, counts).await?;
        }
        Ok(())
    }

    async fn bound_by_page(
        self,
        file: &VerifiedFile,
        counts: &mut Counts,
    ) -> Result<(), ClientError> {
        if file.target().is_some() {
            return Ok(());
        }
        if self.read {
            self.download(file).await?;
            counts.files += 1;
            return Ok(());
        }
        let consistent = self.session.snapped().root().consistent_snapshot;
        let digest = file.hashes().get_sha256().filter(|_| consistent);
        self.source.is_there(file.path(), digest.as_ref()).await?;
        counts.files_seen += 1;
        Ok(())
    }

    /// Reads a file to its end and checks it; its bytes are kept nowhere.
    pub(crate) async fn download(self, file: &VerifiedFile) -> Result<(), ClientError> {
        self.session
            .download_file(file, &mut tokio::io::sink())
            .await
    }
}
