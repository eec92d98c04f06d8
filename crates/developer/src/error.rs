//! Why a project's folder or a step in it fails.

use std::io;
use std::path::PathBuf;

use claims::{ClaimError, NextError, ProjectRole, Reason, RoleNameError};
use index::{DistributionFilename, FilenameError, ProjectName};
use keys::KeyError;
use metadata::{KeyId, MetadataError};

/// A step that a developer cannot take.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// A file or folder failed.
    #[error("could not {doing} {path}", path = path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No project in this folder.
    #[error("{path} is no folder of a project", path = path.display())]
    NoProject {
        /// The folder.
        path: PathBuf,
    },
    /// A project is in this folder already.
    #[error("{path} is the folder of project {project}", path = path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// Its project.
        project: ProjectName,
    },
    /// A document of the claim was refused.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A role could not be read.
    #[error("{path} is no role of the project", path = path.display())]
    Role {
        /// The file.
        path: PathBuf,
        /// Why.
        source: MetadataError,
    },
    /// Not a role's name.
    #[error(transparent)]
    RoleName(#[from] RoleNameError),
    /// The change cannot be made.
    #[error(transparent)]
    Next(#[from] NextError),
    /// Not a distribution's name, or another project's.
    #[error(transparent)]
    Filename(#[from] FilenameError),
    /// A role that nobody has prepared.
    #[error("nothing of {role} waits to be signed")]
    NothingToSign {
        /// The role.
        role: ProjectRole,
    },
    /// Nothing to send.
    #[error("nothing waits to be sent")]
    NothingToSend,
    /// Nothing sent that the index could have taken.
    #[error("nothing was sent")]
    NothingSent,
    /// A transaction on its way.
    #[error("a transaction is on its way to the index")]
    OnItsWay,
    /// A sub-role that the project does not delegate to.
    #[error("{role} is not delegated to by the project's own role")]
    NotDelegated {
        /// The role.
        role: ProjectRole,
    },
    /// A key that does not sign this.
    #[error("key {} does not sign {what}", keyid.short())]
    NotItsKey {
        /// The key.
        keyid: KeyId,
        /// The role or document.
        what: String,
    },
    /// A key could not be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What an index would refuse.
    #[error("an index would refuse this, with the code `{}`", .0.code())]
    Refused(#[source] Box<Reason>),
    /// Given to be sent, but not what its role lists.
    #[error("{file} is not the file that was signed")]
    OtherFile {
        /// The file.
        file: DistributionFilename,
    },
}

impl ProjectError {
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

impl From<Reason> for ProjectError {
    fn from(reason: Reason) -> Self {
        Self::Refused(Box::new(reason))
    }
}
