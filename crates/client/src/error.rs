//! What can go wrong for a client.

use std::fmt;
use std::io;
use std::path::PathBuf;

use index::{DistributionFilename, PageError, ProjectName};
use metadata::{Role, Sha256, TargetPath, Version};
use trust::{Answer, Failure, Rejection, VerifiedTarget};

use crate::kind::role_of;
use crate::{Kind, TransportError};

/// Why a client stopped.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Something fetched or kept was refused.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Something could not be fetched.
    #[error("{what} could not be fetched")]
    Transport {
        /// What was asked for.
        what: Wanted,
        /// Why it did not come.
        source: Box<TransportError>,
    },
    /// A URL from which nothing can be fetched.
    #[error("{url} is not a base URL: {why}")]
    BaseUrl {
        /// The URL.
        url: String,
        /// What is wrong.
        why: &'static str,
    },
    /// HTTP cannot be used at all on this machine.
    #[error("no HTTP client could be made: {why}")]
    HttpClient {
        /// What the HTTP library said.
        why: String,
    },
    /// A file or folder of this machine could not be read or written.
    #[error("{path} could not be {action}", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// `read`, `written`, …
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The datastore holds no trusted root yet (TUF 5.2).
    #[error("{path} holds no trusted root", path = path.display())]
    NoRoot {
        /// The datastore.
        path: PathBuf,
    },
    /// The datastore holds a root, but nothing of this role yet.
    #[error("{path} holds no {role} yet", path = path.display())]
    NothingHeld {
        /// The datastore.
        path: PathBuf,
        /// The role.
        role: Role,
    },
    /// The datastore already trusts another root.
    #[error("{path} trusts another root: v{version} with SHA-256 {sha256}", path = path.display())]
    OtherRoot {
        /// The datastore.
        path: PathBuf,
        /// The version it trusts.
        version: Version,
        /// The digest of that version.
        sha256: Sha256,
    },
    /// Older than the trust anchor says it is at least.
    #[error("{role} v{found} is older than v{minimum}, which the trust anchor asks for")]
    BelowMinimum {
        /// The role.
        role: Role,
        /// The version found.
        found: Version,
        /// The version asked for.
        minimum: Version,
    },
    /// Another process keeps the datastore locked.
    #[error("{path} is in use by another process", path = path.display())]
    Busy {
        /// The datastore.
        path: PathBuf,
    },
    /// A terminating role speaks for the path and does not list it (TUF 4.5).
    #[error("`{path}` is not signed: {role} alone speaks for it and does not list it")]
    Terminated {
        /// The path.
        path: TargetPath,
        /// The role.
        role: Role,
    },
    /// No role lists the path (TUF 5.7.2).
    #[error("`{path}` is not signed: no role lists it")]
    Unclaimed {
        /// The path.
        path: TargetPath,
    },
    /// Who speaks for the path could not be found out, so nobody does (TUF 5.6.7).
    #[error("`{path}` cannot be verified: {role} failed")]
    Failed {
        /// The path.
        path: TargetPath,
        /// The role that failed.
        role: Role,
        /// Why.
        source: Box<Failure>,
    },
    /// A role lists hashes of no algorithm this program knows.
    #[error("`{path}` has no hash that this program can check")]
    NoUsableHash {
        /// The path.
        path: TargetPath,
    },
    /// A verified page that is none.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A page larger than the limit, whatever a role lists.
    #[error("page of project {project} is listed with {length} bytes, more than {limit}")]
    PageTooLarge {
        /// The project.
        project: ProjectName,
        /// Its length as listed.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// The project's page and the role that answers for a file of it differ on its bytes.
    #[error("{filename}: the page and {role} list different bytes")]
    PageDisagrees {
        /// The file.
        filename: DistributionFilename,
        /// The role that answers for the file.
        role: Role,
    },
    /// The page does not list the file, or not with core metadata.
    #[error("the page of project {project} does not list {filename}")]
    NotOnPage {
        /// The project.
        project: ProjectName,
        /// The file asked for.
        filename: String,
    },
}

/// What was to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A role's metadata; the timestamp has no version beforehand.
    Role(Role, Option<Version>),
    /// A target file.
    Target(TargetPath),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role, Some(version)) => write!(f, "{role} v{version}"),
            Self::Role(role, None) => write!(f, "{role}"),
            Self::Target(path) => write!(f, "`{path}`"),
        }
    }
}

impl ClientError {
    pub(crate) fn transport(what: Wanted, source: TransportError) -> Self {
        Self::Transport {
            what,
            source: Box::new(source),
        }
    }

    /// Whether what was asked for is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Transport { source, .. }
            if matches!(**source, TransportError::NotFound { .. }))
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Rejected(rejection) => Kind::of(rejection),
            Self::Failed { source, .. } => match &**source {
                Failure::Rejected(rejection) => Kind::of(rejection),
                Failure::Unavailable(_) => Kind::Network,
            },
            Self::Transport { .. } | Self::HttpClient { .. } => Kind::Network,
            Self::Terminated { .. } | Self::Unclaimed { .. } | Self::NotOnPage { .. } => {
                Kind::NotSigned
            }
            Self::BelowMinimum { .. } => Kind::Rollback,
            Self::Page(_) | Self::PageDisagrees { .. } => Kind::Digest,
            Self::PageTooLarge { .. } | Self::NoUsableHash { .. } => Kind::Refused,
            Self::BaseUrl { .. }
            | Self::File { .. }
            | Self::NoRoot { .. }
            | Self::NothingHeld { .. }
            | Self::OtherRoot { .. }
            | Self::Busy { .. } => Kind::Local,
        }
    }

    /// The exit code of programs that stop with it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.kind().exit_code()
    }

    /// The role it names as failing, if it names one.
    #[must_use]
    pub fn role(&self) -> Option<&Role> {
        match self {
            Self::Rejected(rejection) => role_of(rejection),
            Self::Failed { source, role, .. } => Some(match &**source {
                Failure::Rejected(rejection) => role_of(rejection).unwrap_or(role),
                Failure::Unavailable(_) => role,
            }),
            Self::Transport {
                what: Wanted::Role(role, _),
                ..
            }
            | Self::Terminated { role, .. }
            | Self::BelowMinimum { role, .. }
            | Self::PageDisagrees { role, .. } => Some(role),
            _ => None,
        }
    }
}

/// The target of an answer that found one; every other answer is a refusal.
pub fn found(path: &TargetPath, answer: Answer) -> Result<VerifiedTarget, ClientError> {
    let path = path.clone();
    match answer {
        Answer::Found(target) => Ok(target),
        Answer::Terminated(role) => Err(ClientError::Terminated { path, role }),
        Answer::Unclaimed => Err(ClientError::Unclaimed { path }),
        Answer::Failed { role, why } => Err(ClientError::Failed {
            path,
            role,
            source: Box::new(why),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_but_found_is_a_refusal_of_its_own_kind() {
        let path = TargetPath::parse("a/b").unwrap();
        let role = Role::parse("project-x").unwrap();
        let kind = |answer| found(&path, answer).unwrap_err().kind();
        assert_eq!(kind(Answer::Terminated(role.clone())), Kind::NotSigned);
        assert_eq!(kind(Answer::Unclaimed), Kind::NotSigned);
        let unavailable = Failure::Unavailable("gone".to_owned());
        assert_eq!(
            kind(Answer::Failed {
                role: role.clone(),
                why: unavailable
            }),
            Kind::Network
        );
        let why = Failure::Rejected(Rejection::TooLarge {
            role: role.clone(),
            limit: 1,
        });
        let error = found(
            &path,
            Answer::Failed {
                role: role.clone(),
                why,
            },
        )
        .unwrap_err();
        assert_eq!((error.exit_code(), error.role()), (10, Some(&role)));
    }
}
