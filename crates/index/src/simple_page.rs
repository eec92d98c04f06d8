//! The project page: the one list of a project's files, rendered once per change and signed as it is
//! (PEPs 503, 592, 658, 691, 700, 714, 792).

mod error;
mod html;
mod json;
#[cfg(test)]
mod properties;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, SubsecRound, Utc};
use metadata::Sha256;

use crate::{DistributionFilename, FilenameError, ProjectName, Version440};
pub use error::PageError;

/// The version of the simple API the pages follow (PEP 629): 1.4 brought the project status
/// (PEP 792). 1.5 (PEP 752) adds namespaces, which these pages do not have, and HTML stays at 1.4
/// (PEP 833).
pub const API_VERSION: &str = "1.4";

/// Largest size a page can state, in bytes: what every JSON reader holds exactly, 2^53 − 1.
const MAX_SIZE: u64 = (1 << 53) - 1;

/// A project's page. Holds only what may be published: every file is of the project, none stands
/// twice, and files are in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimplePage {
    project: ProjectName,
    files: Vec<PageFile>,
    status: Status,
}

/// One file of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFile {
    /// The file's name.
    pub filename: DistributionFilename,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Its size in bytes (PEP 700).
    pub size: u64,
    /// `Requires-Python` of its metadata, printable ASCII.
    pub requires_python: Option<String>,
    /// When it was uploaded, to the microsecond (PEP 700).
    pub upload_time: Option<DateTime<Utc>>,
    /// Whether resolvers should pass over it (PEP 592).
    pub yanked: Yanked,
    /// The digest of its `.metadata` file (PEP 658), if that is served.
    pub core_metadata: Option<Sha256>,
}

/// Whether a file is yanked (PEP 592): still there for who pins it, otherwise passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Yanked {
    /// Not yanked.
    #[default]
    No,
    /// Yanked without a reason.
    Yes,
    /// Yanked for this reason: not empty, no control characters.
    Because(String),
}

/// A project's status marker (PEP 792).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProjectStatus {
    /// Nothing special. Not written: absence means it.
    #[default]
    Active,
    /// Takes no more files.
    Archived,
    /// Offers no files.
    Quarantined,
    /// Like active, but should not be newly depended on.
    Deprecated,
}

/// A project's status with its reason (PEP 792).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The marker.
    pub marker: ProjectStatus,
    /// Why: not empty, no control characters.
    pub reason: Option<String>,
}

/// How large a received page may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// Bytes of the whole page.
    pub bytes: usize,
    /// Number of files on it.
    pub files: usize,
}

impl Default for PageLimits {
    /// 64 MiB and 200,000 files: the largest page seen has 10.7 MB for 43,145 files.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            files: 200_000,
        }
    }
}

impl SimplePage {
    /// Makes the page of `project`: checks every member, sorts `files` by name, cuts upload times
    /// to microseconds.
    pub fn new(
        project: ProjectName,
        mut files: Vec<PageFile>,
        status: Status,
    ) -> Result<Self, PageError> {
        status.check(&project, files.len())?;
        for file in &mut files {
            file.check(&project)?;
            file.upload_time = file.upload_time.map(|time| time.trunc_subsecs(6));
        }
        files.sort_by(|a, b| a.filename.as_str().cmp(b.filename.as_str()));
        let twice = files
            .windows(2)
            .find(|w| w[0].filename.as_str() == w[1].filename.as_str());
        if let Some([file, _]) = twice {
            let filename = file.filename.clone();
            return Err(PageError::Duplicate { project, filename });
        }
        Ok(Self {
            project,
            files,
            status,
        })
    }

    /// The project.
    #[must_use]
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// Its files, in the order of their names.
    #[must_use]
    pub fn files(&self) -> &[PageFile] {
        &self.files
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The file of that name.
    #[must_use]
    pub fn file(&self, filename: &str) -> Option<&PageFile> {
        let at = self
            .files
            .binary_search_by(|file| file.filename.as_str().cmp(filename))
            .ok()?;
        self.files.get(at)
    }

    /// The versions of all files, each once, ascending by PEP 440 (PEP 700 `versions`).
    #[must_use]
    pub fn versions(&self) -> BTreeSet<&Version440> {
        self.files
            .iter()
            .map(|file| file.filename.version())
            .collect()
    }

    /// The page with other digests of core metadata (PEP 658), as a proxy serves it that has more of it.
    #[must_use]
    pub fn with_core_metadata(mut self, digest: impl Fn(&PageFile) -> Option<Sha256>) -> Self {
        for file in &mut self.files {
            file.core_metadata = digest(file);
        }
        self
    }

    /// The page without the files that `keep` refuses, as a proxy serves it that withholds files.
    #[must_use]
    pub fn filtered(mut self, keep: impl FnMut(&PageFile) -> bool) -> Self {
        self.files.retain(keep);
        self
    }
}

impl Status {
    /// Checks that a page with so many files can have this status.
    fn check(&self, project: &ProjectName, files: usize) -> Result<(), PageError> {
        if self.marker == ProjectStatus::Quarantined && files > 0 {
            return Err(PageError::Quarantined {
                project: project.clone(),
                files,
            });
        }
        match &self.reason {
            Some(reason) if !is_plain(reason) => Err(PageError::Member {
                project: project.clone(),
                of: "the page".to_owned(),
                member: "reason",
                expected: "has to be text without control characters",
            }),
            _ => Ok(()),
        }
    }
}

impl PageFile {
    /// Checks that the file can stand on the page of `project`.
    fn check(&self, project: &ProjectName) -> Result<(), PageError> {
        let named = || (self.filename.to_string(), project.clone());
        if self.filename.project() != project {
            let (filename, project) = named();
            let source = FilenameError::OtherProject {
                filename,
                project: project.clone(),
            };
            return Err(PageError::Filename { project, source });
        }
        if let Some((member, expected)) = self.flaw() {
            let (of, project) = named();
            return Err(PageError::Member {
                project,
                of,
                member,
                expected,
            });
        }
        Ok(())
    }

    /// The member that cannot be published, if any, and what it has to be.
    fn flaw(&self) -> Option<(&'static str, &'static str)> {
        let is_specifier = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        };
        if self.size > MAX_SIZE {
            return Some(("size", "has to be below 2^53"));
        }
        if self
            .requires_python
            .as_deref()
            .is_some_and(|text| !is_specifier(text))
        {
            return Some(("requires-python", "has to be printable ASCII"));
        }
        if matches!(&self.yanked, Yanked::Because(reason) if !is_plain(reason)) {
            return Some(("yanked", "has to be text without control characters"));
        }
        if self
            .upload_time
            .is_some_and(|time| !(0..=9999).contains(&time.year()))
        {
            return Some(("upload-time", "has to be in the years 0 to 9999"));
        }
        None
    }
}

/// Whether people's words can stand in canonical JSON (which escapes no control character) and on
/// a terminal.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

impl ProjectStatus {
    const ALL: [Self; 4] = [
        Self::Active,
        Self::Archived,
        Self::Quarantined,
        Self::Deprecated,
    ];

    /// The marker's word (PEP 792).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
            Self::Quarantined => "quarantined",
            Self::Deprecated => "deprecated",
        }
    }

    /// The marker of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|marker| marker.as_str() == word)
    }
}

/// The URL of a file as seen from its page on the plain mirror, `simple/NAME/`: the second name of
/// the file at `packages/XX/NAME/FILE`.
#[must_use]
pub fn mirror_url(file: &PageFile) -> String {
    mirror_url_of(&file.filename)
}

/// The same by the file's name. `+` and `!` are percent-encoded, since some servers read a plain `+` in
/// a path as a space.
#[must_use]
pub fn mirror_url_of(filename: &DistributionFilename) -> String {
    let path = crate::file_path(filename);
    format!(
        "../../{}",
        path.as_str().replace('+', "%2B").replace('!', "%21")
    )
}
