//! The target paths of an index, built and taken apart in one place, at constant depth four.

use metadata::TargetPath;
use thiserror::Error;

use crate::{DistributionFilename, FilenameError, ProjectName, ProjectNameError};

/// The last segment of a project page's path: PEP 691's media type, "file-like".
pub const PAGE_FILE: &str = "vnd.pypi.simple.v1.json";

/// What a file's path has added for its core metadata (PEP 658).
pub const METADATA_SUFFIX: &str = ".metadata";

/// Which role answers for a publisher policy: the two never stand in for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicySource {
    /// Signed offline, by `publishers-claimed`.
    Claimed,
    /// Signed online, in a bin.
    Recent,
}

impl PolicySource {
    fn segment(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Recent => "recent",
        }
    }
}

/// `simple/XX/NAME/vnd.pypi.simple.v1.json`: the project page.
#[must_use]
pub fn page_path(project: &ProjectName) -> TargetPath {
    built(format!("simple/{}/{project}/{PAGE_FILE}", project.shard()))
}

/// `packages/XX/NAME/FILE`: one distribution.
#[must_use]
pub fn file_path(filename: &DistributionFilename) -> TargetPath {
    let project = filename.project();
    built(format!("packages/{}/{project}/{filename}", project.shard()))
}

/// `packages/XX/NAME/FILE.metadata`: the core metadata of one wheel (PEP 658).
#[must_use]
pub fn metadata_path(filename: &DistributionFilename) -> TargetPath {
    let project = filename.project();
    built(format!(
        "packages/{}/{project}/{filename}{METADATA_SUFFIX}",
        project.shard()
    ))
}

/// `publishers/{claimed,recent}/XX/NAME.json`: who may publish the project.
#[must_use]
pub fn publisher_policy_path(source: PolicySource, project: &ProjectName) -> TargetPath {
    built(format!(
        "publishers/{}/{}/{project}.json",
        source.segment(),
        project.shard()
    ))
}

fn built(path: String) -> TargetPath {
    TargetPath::parse(path).expect(
        "project names and file names are printable ASCII without slashes, not dots alone, \
         and together under 400 bytes",
    )
}

/// What a target path of an index names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexPath {
    /// A project page.
    Page(ProjectName),
    /// A distribution.
    File(DistributionFilename),
    /// The core metadata of a distribution.
    Metadata(DistributionFilename),
    /// A publisher policy.
    PublisherPolicy(PolicySource, ProjectName),
}

/// Why a target path is none of an index.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IndexPathError {
    /// None of the forms of [`IndexPath`].
    #[error("target path {path} names no page, file, metadata or publisher policy")]
    Form {
        /// The path.
        path: TargetPath,
    },
    /// The project's name is none, or not in normal form.
    #[error("target path {path} has no project name in normal form")]
    Project {
        /// The path.
        path: TargetPath,
        /// What is wrong with the name.
        source: ProjectNameError,
    },
    /// The two digits are not those of the project's name.
    #[error("target path {path} should have shard {expected}")]
    Shard {
        /// The path.
        path: TargetPath,
        /// The first two hex digits of the name's SHA-256.
        expected: crate::Shard,
    },
    /// The file's name is none of the project.
    #[error("target path {path} ends in no distribution of its project")]
    File {
        /// The path.
        path: TargetPath,
        /// What is wrong with the name.
        source: FilenameError,
    },
}

impl IndexPath {
    /// Takes `path` apart; accepts exactly what the builders of this module build.
    pub fn parse(path: &TargetPath) -> Result<Self, IndexPathError> {
        let form = || IndexPathError::Form { path: path.clone() };
        let segments: Vec<&str> = path.as_str().split('/').collect();
        match segments.as_slice() {
            ["simple", shard, project, PAGE_FILE] => {
                project_in(path, shard, project).map(Self::Page)
            }
            ["packages", shard, project, file] => {
                let project = project_in(path, shard, project)?;
                let (file, is_metadata) = match file.strip_suffix(METADATA_SUFFIX) {
                    Some(file) => (file, true),
                    None => (*file, false),
                };
                let file = DistributionFilename::parse_for(file, &project).map_err(|source| {
                    IndexPathError::File {
                        path: path.clone(),
                        source,
                    }
                })?;
                Ok(if is_metadata {
                    Self::Metadata(file)
                } else {
                    Self::File(file)
                })
            }
            ["publishers", source, shard, file] => {
                let source = match *source {
                    "claimed" => PolicySource::Claimed,
                    "recent" => PolicySource::Recent,
                    _ => return Err(form()),
                };
                let project = file.strip_suffix(".json").ok_or_else(form)?;
                Ok(Self::PublisherPolicy(
                    source,
                    project_in(path, shard, project)?,
                ))
            }
            _ => Err(form()),
        }
    }

    /// The project it is about.
    #[must_use]
    pub fn project(&self) -> &ProjectName {
        match self {
            Self::Page(project) | Self::PublisherPolicy(_, project) => project,
            Self::File(file) | Self::Metadata(file) => file.project(),
        }
    }

    /// The path again.
    #[must_use]
    pub fn to_path(&self) -> TargetPath {
        match self {
            Self::Page(project) => page_path(project),
            Self::File(file) => file_path(file),
            Self::Metadata(file) => metadata_path(file),
            Self::PublisherPolicy(source, project) => publisher_policy_path(*source, project),
        }
    }
}

fn project_in(path: &TargetPath, shard: &str, name: &str) -> Result<ProjectName, IndexPathError> {
    let project =
        ProjectName::parse_normalized(name).map_err(|source| IndexPathError::Project {
            path: path.clone(),
            source,
        })?;
    let expected = project.shard();
    if crate::Shard::parse(shard) == Some(expected) {
        Ok(project)
    } else {
        Err(IndexPathError::Shard {
            path: path.clone(),
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(path: &str) -> Result<IndexPath, IndexPathError> {
        IndexPath::parse(&TargetPath::parse(path).unwrap())
    }

    #[test]
    fn builds_what_the_design_says() {
        let requests = ProjectName::parse("requests").unwrap();
        let file = DistributionFilename::parse("requests-2.32.3.tar.gz").unwrap();
        for (built, path) in [
            (
                page_path(&requests),
                "simple/ec/requests/vnd.pypi.simple.v1.json",
            ),
            (
                file_path(&file),
                "packages/ec/requests/requests-2.32.3.tar.gz",
            ),
            (
                metadata_path(&file),
                "packages/ec/requests/requests-2.32.3.tar.gz.metadata",
            ),
            (
                publisher_policy_path(PolicySource::Claimed, &requests),
                "publishers/claimed/ec/requests.json",
            ),
            (
                publisher_policy_path(PolicySource::Recent, &requests),
                "publishers/recent/ec/requests.json",
            ),
        ] {
            assert_eq!(built.as_str(), path);
            assert_eq!(IndexPath::parse(&built).unwrap().to_path(), built);
            assert_eq!(IndexPath::parse(&built).unwrap().project(), &requests);
        }
    }

    #[test]
    fn refuses_other_paths() {
        for bad in [
            "simple/ec/requests",
            "simple/ec/requests/vnd.pypi.simple.latest.json",
            "simple/ec/Requests/vnd.pypi.simple.v1.json",
            "simple/ed/requests/vnd.pypi.simple.v1.json",
            "simple/requests/vnd.pypi.simple.v1.json",
            "packages/ec/requests/flask-1.0.tar.gz",
            "packages/ec/requests/requests-1.0.tar.gz.metadata.metadata",
            "packages/ec/requests/x/requests-1.0.tar.gz",
            "publishers/other/ec/requests.json",
            "publishers/claimed/ec/requests.toml",
            "trusted_root.json",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(matches!(
            parse("packages/ff/requests/requests-1.0.tar.gz"),
            Err(IndexPathError::Shard { expected, .. }) if expected.get() == 0xec
        ));
    }

    proptest! {
        #[test]
        fn round_trip(name in "[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", version in "[0-9]{1,3}") {
            let project = ProjectName::parse(&name).unwrap();
            let file = format!("{name}-{version}.tar.gz");
            let file = DistributionFilename::parse_for(&file, &project).unwrap();
            for path in [
                IndexPath::Page(project.clone()),
                IndexPath::File(file.clone()),
                IndexPath::Metadata(file.clone()),
                IndexPath::PublisherPolicy(PolicySource::Recent, project.clone()),
            ] {
                prop_assert_eq!(path.to_path().as_str().matches('/').count(), 3);
                prop_assert_eq!(&IndexPath::parse(&path.to_path()).unwrap(), &path);
            }
        }

        #[test]
        fn never_panics(path in "(simple|packages|publishers)(/[ -~]{0,12}){0,5}") {
            if let Ok(path) = TargetPath::parse(path)
                && let Ok(parsed) = IndexPath::parse(&path)
            {
                prop_assert_eq!(parsed.to_path(), path);
            }
        }
    }
}
