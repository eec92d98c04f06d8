//! Project pages, and which of two voices counts for a file: a role that speaks for its path, or the
//! page. A page's own hashes count only where every role was asked and none speaks for the path; a
//! role that failed or denies it is never overruled by a page.

use std::collections::BTreeSet;
use std::sync::Arc;

use index::{
    DistributionFilename, DistributionKind, PageFile, PageLimits, ProjectName, SimplePage,
    file_path, metadata_path, page_path,
};
use metadata::{Role, Sha256, TargetPath};
use trust::{Answer, VerifiedTarget};

use crate::error::found;
use crate::session::LeftToBins;
use crate::verified_file::{Length, VerifiedFile};
use crate::{ClientError, Session};

/// A project's page, verified to the last byte.
#[derive(Clone, Debug)]
pub struct ProjectPage {
    page: Arc<SimplePage>,
    target: VerifiedTarget,
}

impl ProjectPage {
    /// What it says.
    #[must_use]
    pub fn page(&self) -> &SimplePage {
        &self.page
    }

    /// The target it is.
    #[must_use]
    pub fn target(&self) -> &VerifiedTarget {
        &self.target
    }
}

/// A page without the files that would be refused.
#[derive(Debug)]
pub struct Listing {
    /// The page with the rest.
    pub page: SimplePage,
    /// What was left out, and why.
    pub withheld: Vec<Withheld>,
    /// Files that stay listed, but whose core metadata is not what their role lists.
    pub without_metadata: Vec<Withheld>,
}

/// A file that the page lists and a role refuses.
#[derive(Debug)]
pub struct Withheld {
    /// The file.
    pub file: PageFile,
    /// Why.
    pub error: ClientError,
}

impl Session {
    /// Fetches and verifies the page of a project.
    pub async fn project_page(&self, project: &ProjectName) -> Result<ProjectPage, ClientError> {
        let target = self.page_target(project).await?;
        self.page_at(project, target).await
    }

    /// The page of a project, taken from `held` where that is the very page this session's snapshot
    /// names, so that nothing need be fetched.
    pub async fn project_page_from(
        &self,
        project: &ProjectName,
        held: Option<&ProjectPage>,
    ) -> Result<ProjectPage, ClientError> {
        let target = self.page_target(project).await?;
        match held {
            Some(held) if held.target == target => Ok(held.clone()),
            _ => self.page_at(project, target).await,
        }
    }

    async fn page_target(&self, project: &ProjectName) -> Result<VerifiedTarget, ClientError> {
        let path = page_path(project);
        found(&path, self.find(&path).await)
    }

    async fn page_at(
        &self,
        project: &ProjectName,
        target: VerifiedTarget,
    ) -> Result<ProjectPage, ClientError> {
        let (length, limit) = (target.file().length, self.shared.config.page_limit);
        if length > limit {
            let project = project.clone();
            return Err(ClientError::PageTooLarge {
                project,
                length,
                limit,
            });
        }
        let bytes = self.read(&target.clone().into()).await?;
        let limits = PageLimits {
            bytes: limit as usize,
            ..PageLimits::default()
        };
        let page = Arc::new(SimplePage::parse_json(&bytes, project, &limits)?);
        Ok(ProjectPage { page, target })
    }

    /// What to download for a file of a page.
    pub async fn file(
        &self,
        page: &ProjectPage,
        file: &PageFile,
    ) -> Result<VerifiedFile, ClientError> {
        let on_page = listed(page, &file.filename)?;
        let path = file_path(&file.filename);
        let answer = self.find(&path).await;
        Bound::of(on_page).decide(page.target.role(), path, answer)
    }

    /// What to download for the core metadata of a file of a page (PEP 658).
    pub async fn core_metadata(
        &self,
        page: &ProjectPage,
        file: &PageFile,
    ) -> Result<VerifiedFile, ClientError> {
        let on_page = listed(page, &file.filename)?;
        let path = metadata_path(&file.filename);
        let bound = self
            .bound_of_metadata(on_page)
            .ok_or_else(|| not_on_page(page, path.file_name()))?;
        let answer = self.find(&path).await;
        bound.decide(page.target.role(), path, answer)
    }

    /// The page without the files that a role delegated by name refuses: all of them would fail in
    /// [`Session::file`]. What is left to the hashed bins stays listed and is decided there, so that
    /// a page does not cost a bin for each file.
    pub async fn listing(&self, page: &ProjectPage) -> Listing {
        let (mut withheld, mut without_metadata) = (Vec::new(), Vec::new());
        for kind in KINDS {
            let of_kind = page
                .page
                .files()
                .iter()
                .filter(|file| file.filename.kind() == kind);
            for (at, file) in of_kind.enumerate() {
                let path = file_path(&file.filename);
                let answer = match self.find_before_bins(&path).await {
                    // The patterns of a project's roles cover all its files of a kind or none: the
                    // first tells that nobody claims them.
                    Err(LeftToBins) if at == 0 => break,
                    Err(LeftToBins) => continue,
                    Ok(answer) => answer,
                };
                let left_out = |error| Withheld {
                    file: file.clone(),
                    error,
                };
                if let Err(error) = Bound::of(file).decide(page.target.role(), path, answer) {
                    withheld.push(left_out(error));
                } else if let Err(error) = self.metadata_by_name(page, file).await {
                    without_metadata.push(left_out(error));
                }
            }
        }
        let refused: BTreeSet<_> = withheld
            .iter()
            .map(|left_out| &left_out.file.filename)
            .collect();
        let rest = SimplePage::clone(&page.page).filtered(|file| !refused.contains(&file.filename));
        Listing {
            page: rest,
            withheld,
            without_metadata,
        }
    }

    /// What the role of a file, which is delegated by name, says of its core metadata.
    async fn metadata_by_name(
        &self,
        page: &ProjectPage,
        file: &PageFile,
    ) -> Result<(), ClientError> {
        let Some(bound) = self.bound_of_metadata(file) else {
            return Ok(());
        };
        let path = metadata_path(&file.filename);
        match self.find_before_bins(&path).await {
            Err(LeftToBins) => Ok(()),
            Ok(answer) => bound.decide(page.target.role(), path, answer).map(drop),
        }
    }

    fn bound_of_metadata<'a>(&self, file: &'a PageFile) -> Option<Bound<'a>> {
        let length = Length::AtMost(self.shared.config.core_metadata_limit);
        Some(Bound {
            filename: &file.filename,
            length,
            sha256: file.core_metadata?,
        })
    }
}

const KINDS: [DistributionKind; 3] = [
    DistributionKind::Wheel,
    DistributionKind::SdistTarGz,
    DistributionKind::SdistZip,
];

/// What a page says of the bytes of a file.
struct Bound<'a> {
    filename: &'a DistributionFilename,
    length: Length,
    sha256: Sha256,
}

impl<'a> Bound<'a> {
    fn of(file: &'a PageFile) -> Self {
        let length = Length::Exactly(file.size);
        Self {
            filename: &file.filename,
            length,
            sha256: file.sha256,
        }
    }

    /// Which voice counts. `page_role` lists the page.
    fn decide(
        &self,
        page_role: &Role,
        path: TargetPath,
        answer: Answer,
    ) -> Result<VerifiedFile, ClientError> {
        if answer == Answer::Unclaimed {
            return Ok(VerifiedFile::on_page(
                path,
                page_role.clone(),
                self.length,
                self.sha256,
            ));
        }
        let target = found(&path, answer)?;
        let same_length = match self.length {
            Length::Exactly(length) => target.file().length == length,
            Length::AtMost(most) => target.file().length <= most,
        };
        if !same_length || target.file().hashes.get_sha256() != Some(self.sha256) {
            let (filename, role) = (self.filename.clone(), target.role().clone());
            return Err(ClientError::PageDisagrees { filename, role });
        }
        Ok(target.into())
    }
}

/// The page's own entry of that name: what a caller hands in may be of another page.
fn listed<'a>(
    page: &'a ProjectPage,
    filename: &DistributionFilename,
) -> Result<&'a PageFile, ClientError> {
    let on_page = page.page.file(filename.as_str());
    on_page.ok_or_else(|| not_on_page(page, filename.as_str()))
}

fn not_on_page(page: &ProjectPage, filename: &str) -> ClientError {
    let project = page.page.project().clone();
    ClientError::NotOnPage {
        project,
        filename: filename.to_owned(),
    }
}

#[cfg(test)]
mod tests;
