//! Why there is no such page.

use metadata::MetadataError;
use thiserror::Error;

use crate::{DistributionFilename, FilenameError, ProjectName, ProjectNameError};

/// Why there is no such page, or a received text is none.
#[derive(Debug, Error)]
pub enum PageError {
    /// More bytes than allowed.
    #[error("page of project {project} has {bytes} bytes, more than {limit}")]
    TooLarge {
        /// The project asked for.
        project: ProjectName,
        /// Size received.
        bytes: usize,
        /// Size allowed.
        limit: usize,
    },
    /// More files than allowed.
    #[error("page of project {project} lists {files} files, more than {limit}")]
    TooManyFiles {
        /// The project asked for.
        project: ProjectName,
        /// Number of files listed.
        files: usize,
        /// Number allowed.
        limit: usize,
    },
    /// No JSON, or JSON with a key twice or a floating-point number.
    #[error("page of project {project} is malformed")]
    Json {
        /// The project asked for.
        project: ProjectName,
        /// What is wrong, and where.
        source: MetadataError,
    },
    /// Another major version of the API than 1 (PEP 629: readers must stop).
    #[error("page of project {project} follows version {found} of the simple API, not 1")]
    ApiVersion {
        /// The project asked for.
        project: ProjectName,
        /// The version stated.
        found: String,
    },
    /// The page names itself by something that is no project name in normal form.
    #[error("page of project {project} has no project name in normal form")]
    Name {
        /// The project asked for.
        project: ProjectName,
        /// What is wrong with the name.
        source: ProjectNameError,
    },
    /// The page of another project.
    #[error("page of project {found} where that of {project} was asked for")]
    OtherProject {
        /// The project asked for.
        project: ProjectName,
        /// The project it names.
        found: ProjectName,
    },
    /// A file whose name is no distribution of the project.
    #[error("page of project {project} lists a file that is not the project's")]
    Filename {
        /// The page's project.
        project: ProjectName,
        /// What is wrong with the name.
        source: FilenameError,
    },
    /// A file listed twice.
    #[error("page of project {project} lists {filename} twice")]
    Duplicate {
        /// The page's project.
        project: ProjectName,
        /// The file.
        filename: DistributionFilename,
    },
    /// A member that is missing or not as it has to be.
    #[error("page of project {project}: `{member}` of {of} {expected}")]
    Member {
        /// The page's project.
        project: ProjectName,
        /// The file it belongs to, or `the page`.
        of: String,
        /// Its key in the JSON page.
        member: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// Files on the page of a quarantined project (PEP 792: it must not offer any).
    #[error("page of quarantined project {project} lists {files} files")]
    Quarantined {
        /// The project.
        project: ProjectName,
        /// Number of files listed.
        files: usize,
    },
}
