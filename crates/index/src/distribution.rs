//! File names of wheels (PEP 427) and source distributions (PEP 625 and before), parsed once.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::{ProjectName, Version440, excerpt};

/// Longest file name accepted, in bytes: file systems stop at 255, and `HASH.` (65, consistent
/// snapshots, TUF 6.2.1) before it and `.metadata` (9, PEP 658) after it have to fit as well.
pub const MAX_FILENAME: usize = 255 - 65 - 9;

/// The file name of one distribution: ASCII letters, digits and `.`, `_`, `-`, `+`, `!`.
///
/// Kept as published (two spellings are two files), with what it says taken apart. Ordered by its
/// bytes, first of all. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DistributionFilename(Arc<Parts>);

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    text: String,
    project: ProjectName,
    version: Version440,
    kind: DistributionKind,
}

/// What kind of distribution a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DistributionKind {
    /// A built distribution, `.whl` (PEP 427).
    Wheel,
    /// A source distribution, `.tar.gz` (PEP 625).
    SdistTarGz,
    /// A source distribution of old, `.zip`.
    SdistZip,
}

/// Why a text is not the file name of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilenameError {
    /// More than [`MAX_FILENAME`] bytes.
    #[error("file name {filename} has {length} bytes, more than {MAX_FILENAME}")]
    TooLong {
        /// How the name begins.
        filename: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A byte that no distribution's name has.
    #[error("file name {filename} has a byte outside letters, digits and `._-+!`")]
    Byte {
        /// The name as received, shortened.
        filename: String,
    },
    /// Neither `.whl` nor `.tar.gz` nor `.zip`.
    #[error("file name {filename} ends neither in .whl nor .tar.gz nor .zip")]
    Kind {
        /// The name as received.
        filename: String,
    },
    /// A wheel's name that is not `NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl` (PEP 427).
    #[error("wheel name {filename} {reason}")]
    Wheel {
        /// The name as received.
        filename: String,
        /// Which part is wrong.
        reason: &'static str,
    },
    /// A source distribution's name that is not `NAME-VERSION` before its suffix.
    #[error("source distribution {filename} is not named NAME-VERSION")]
    Sdist {
        /// The name as received.
        filename: String,
    },
    /// A distribution, but of another project than the one asked for.
    #[error("file {filename} is not a distribution of project {project}")]
    OtherProject {
        /// The name as received.
        filename: String,
        /// The project it should belong to.
        project: ProjectName,
    },
}

impl DistributionFilename {
    /// Parses `filename` without knowing the project.
    ///
    /// Wheels are unambiguous. Names of source distributions from before PEP 625 are not
    /// (`a-1-1.tar.gz`: version 1 of `a-1`, or 1.post1 of `a`?); here the last dash that is
    /// followed by a version of PEP 440 divides them, as in other index tools. Where the project is
    /// known, use [`Self::parse_for`].
    pub fn parse(filename: &str) -> Result<Self, FilenameError> {
        let (stem, kind) = stem_and_kind(filename)?;
        let (project, version) = match kind {
            DistributionKind::Wheel => wheel(filename, stem)?,
            DistributionKind::SdistTarGz | DistributionKind::SdistZip => stem
                .rmatch_indices('-')
                .find_map(|(dash, _)| {
                    let version = Version440::parse(&stem[dash + 1..]).ok()?;
                    Some((ProjectName::parse(&stem[..dash]).ok()?, version))
                })
                .ok_or_else(|| FilenameError::Sdist {
                    filename: filename.to_owned(),
                })?,
        };
        Ok(Self(Arc::new(Parts {
            text: filename.to_owned(),
            project,
            version,
            kind,
        })))
    }

    /// Parses `filename` as a distribution of `project`, which divides old names of source
    /// distributions without guessing.
    pub fn parse_for(filename: &str, project: &ProjectName) -> Result<Self, FilenameError> {
        let (stem, kind) = stem_and_kind(filename)?;
        let other = || FilenameError::OtherProject {
            filename: filename.to_owned(),
            project: project.clone(),
        };
        let version = match kind {
            DistributionKind::Wheel => {
                let (found, version) = wheel(filename, stem)?;
                if found != *project {
                    return Err(other());
                }
                version
            }
            DistributionKind::SdistTarGz | DistributionKind::SdistZip => {
                version_after(stem, project).ok_or_else(other)?
            }
        };
        let (text, project) = (filename.to_owned(), project.clone());
        Ok(Self(Arc::new(Parts {
            text,
            project,
            version,
            kind,
        })))
    }

    /// The name as published.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The project the file belongs to.
    #[must_use]
    pub fn project(&self) -> &ProjectName {
        &self.0.project
    }

    /// The version in the name.
    #[must_use]
    pub fn version(&self) -> &Version440 {
        &self.0.version
    }

    /// The python, abi and platform tags of a wheel as written, each maybe several between dots
    /// (PEP 425 "Compressed Tag Sets").
    #[must_use]
    pub fn wheel_tags(&self) -> Option<[&str; 3]> {
        let stem = self.0.text.strip_suffix(".whl")?;
        let mut tags = stem.rsplitn(4, '-');
        let (platform, abi, python) = (tags.next()?, tags.next()?, tags.next()?);
        Some([python, abi, platform])
    }

    /// Wheel or source distribution.
    #[must_use]
    pub fn kind(&self) -> DistributionKind {
        self.0.kind
    }
}

/// The version in `stem`, if it is `NAME-VERSION` with a NAME that normalizes to `project`.
///
/// No two prefixes of one text normalize to the same name (the longer one adds a dash and at least
/// one letter or digit), so the first that fits is the only one.
pub(crate) fn version_after(stem: &str, project: &ProjectName) -> Option<Version440> {
    stem.match_indices('-')
        .find(|(dash, _)| ProjectName::parse(&stem[..*dash]).is_ok_and(|name| name == *project))
        .and_then(|(dash, _)| Version440::parse(&stem[dash + 1..]).ok())
}

fn stem_and_kind(filename: &str) -> Result<(&str, DistributionKind), FilenameError> {
    if filename.len() > MAX_FILENAME {
        let length = filename.len();
        return Err(FilenameError::TooLong {
            filename: excerpt(filename),
            length,
        });
    }
    if !filename
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-+!".contains(&b))
    {
        return Err(FilenameError::Byte {
            filename: excerpt(filename),
        });
    }
    let kinds = [
        (".whl", DistributionKind::Wheel),
        (".tar.gz", DistributionKind::SdistTarGz),
        (".zip", DistributionKind::SdistZip),
    ];
    kinds
        .into_iter()
        .find_map(|(suffix, kind)| Some((filename.strip_suffix(suffix)?, kind)))
        .ok_or_else(|| FilenameError::Kind {
            filename: filename.to_owned(),
        })
}

/// Takes `NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM` apart (PEP 427 "File name convention").
fn wheel(filename: &str, stem: &str) -> Result<(ProjectName, Version440), FilenameError> {
    let error = |reason| FilenameError::Wheel {
        filename: filename.to_owned(),
        reason,
    };
    let parts: Vec<&str> = stem.split('-').collect();
    let (name, version, build, tags) = match parts.as_slice() {
        [name, version, tags @ ..] if tags.len() == 3 => (name, version, None, tags),
        [name, version, build, tags @ ..] if tags.len() == 3 => (name, version, Some(build), tags),
        _ => return Err(error("has neither five nor six parts between dashes")),
    };
    if build.is_some_and(|build| !build.starts_with(|c: char| c.is_ascii_digit())) {
        return Err(error("has a build tag that does not begin with a digit"));
    }
    if !tags.iter().all(|tag| tag.split('.').all(is_tag)) {
        return Err(error(
            "has an empty or malformed python, abi or platform tag",
        ));
    }
    let project = ProjectName::parse(name).map_err(|_| error("begins with no project name"))?;
    // The dash of old spellings like `1.0-1` (1.0.post1) was escaped as `_`.
    let version = Version440::parse(version)
        .or_else(|_| Version440::parse(&version.replace('_', "-")))
        .map_err(|_| error("has no version of PEP 440"))?;
    Ok((project, version))
}

fn is_tag(tag: &str) -> bool {
    !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl fmt::Display for DistributionFilename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for DistributionFilename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.text)
    }
}
