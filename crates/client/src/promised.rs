//! Promises that others made, such as a lock file: is this digest one that the index, or a developer,
//! signs now, for a file of this project and version?

use index::{DistributionFilename, PageFile, ProjectName, Version440, Yanked};
use metadata::{Role, Sha256};

use crate::{ClientError, Kind, ProjectPage, Session};

/// A file that somebody promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The project it has to be of.
    pub project: ProjectName,
    /// The version it has to be of, as pinned, if one is.
    pub version: Option<String>,
    /// Its name, if stated.
    pub filename: Option<String>,
    /// Its digest.
    pub sha256: Sha256,
}

/// A promise that the repository keeps: the file is signed, today, with this very digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The file.
    pub filename: DistributionFilename,
    /// The role that vouches for it, or for the page that binds it.
    pub role: Role,
    /// Whether it was withdrawn (PEP 592): signed still, but not to be chosen anew.
    pub yanked: Yanked,
}

/// Why a promise is not kept.
#[derive(Debug, thiserror::Error)]
pub enum PromiseError {
    /// Nobody lists the file any more, or ever did.
    #[error("{what} is not on the page of project {project}")]
    Vanished {
        /// The project.
        project: ProjectName,
        /// The file name, or the digest where no name is stated.
        what: String,
    },
    /// The file is listed with other bytes.
    #[error("{filename} is signed as sha256:{signed}, not sha256:{promised}")]
    OtherBytes {
        /// The file.
        filename: String,
        /// The digest promised.
        promised: Sha256,
        /// The digest signed.
        signed: Sha256,
    },
    /// The digest is that of a file of another version.
    #[error("{filename} is not of version {pinned}")]
    OtherVersion {
        /// The file.
        filename: String,
        /// The version pinned.
        pinned: String,
    },
    /// The file was refused, or nothing could be found out.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl PromiseError {
    /// Its kind, which decides exit codes.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Vanished { .. } => Kind::NotSigned,
            Self::OtherBytes { .. } | Self::OtherVersion { .. } => Kind::Digest,
            Self::Client(error) => error.kind(),
        }
    }
}

impl Session {
    /// Whether this session's snapshot keeps a promise. `page` is the page of the promise's project;
    /// what it says of the file counts as it does in [`Session::file`].
    pub async fn promised(
        &self,
        page: &ProjectPage,
        promise: &Promise,
    ) -> Result<Kept, PromiseError> {
        let file = on_page(page, promise)?;
        let found = self.file(page, file).await?;
        Ok(Kept {
            filename: file.filename.clone(),
            role: found.role().clone(),
            yanked: file.yanked.clone(),
        })
    }
}

fn on_page<'a>(page: &'a ProjectPage, promise: &Promise) -> Result<&'a PageFile, PromiseError> {
    let vanished = |what: &dyn ToString| PromiseError::Vanished {
        project: promise.project.clone(),
        what: what.to_string(),
    };
    let page = page.page();
    if *page.project() != promise.project {
        return Err(vanished(&promise.sha256));
    }
    let found = match &promise.filename {
        Some(name) => page.file(name).ok_or_else(|| vanished(name)),
        None => (page.files().iter())
            .find(|file| file.sha256 == promise.sha256)
            .ok_or_else(|| vanished(&format!("sha256:{}", promise.sha256))),
    };
    let file = found?;
    let filename = || file.filename.to_string();
    if file.sha256 != promise.sha256 {
        return Err(PromiseError::OtherBytes {
            filename: filename(),
            promised: promise.sha256,
            signed: file.sha256,
        });
    }
    match &promise.version {
        Some(pinned) if !is_version(file.filename.version(), pinned) => {
            Err(PromiseError::OtherVersion {
                filename: filename(),
                pinned: pinned.clone(),
            })
        }
        _ => Ok(file),
    }
}

/// PEP 440: `1.0` and `1.0.0` are one version.
fn is_version(found: &Version440, pinned: &str) -> bool {
    Version440::parse(pinned).is_ok_and(|pinned| pinned == *found)
}
