//! What an audit finds wrong, one at a time, with what is needed to find it again.

use std::fmt;

use client::{ClientError, Kind};
use index::{DistributionFilename, ProjectName};
use metadata::{Role, TargetPath, Version};
use serde::{Serialize, Serializer};

use crate::limits::FINDINGS;

/// Something that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum Finding {
    /// The chain of roots from the first one breaks: clients that pinned an old root stay behind.
    #[error("root v{version}: {cause}")]
    RootHistory {
        /// The root at which it breaks.
        #[serde(serialize_with = "number")]
        version: Version,
        /// Why.
        cause: Cause,
    },
    /// A delegated role that cannot be had or believed.
    #[error("{role}, delegated by {delegator}: {cause}")]
    Role {
        /// The role.
        #[serde(serialize_with = "text")]
        role: Role,
        /// Who delegates to it.
        #[serde(serialize_with = "text")]
        delegator: Role,
        /// Why.
        cause: Cause,
    },
    /// The snapshot lists a role to which nobody delegates, and its last file cannot be had: nothing that
    /// was ever published.
    #[error("the snapshot lists {role}, to which nobody delegates: {cause}")]
    NotDelegated {
        /// The role.
        #[serde(serialize_with = "text")]
        role: Role,
        /// Why it is no tombstone.
        cause: Cause,
    },
    /// Two roles delegate to one: whoever holds the keys of either speaks in its name.
    #[error("{role} is delegated by {first} and by {second}")]
    TwoDelegators {
        /// The role.
        #[serde(serialize_with = "text")]
        role: Role,
        /// The delegator that comes first.
        #[serde(serialize_with = "text")]
        first: Role,
        /// The other.
        #[serde(serialize_with = "text")]
        second: Role,
    },
    /// A path in the folders of an index that names nothing of an index.
    #[error("{role} lists `{path}`: {why}")]
    Path {
        /// The path.
        #[serde(serialize_with = "text")]
        path: TargetPath,
        /// Who lists it.
        #[serde(serialize_with = "text")]
        role: Role,
        /// Why it names nothing.
        why: String,
    },
    /// A target listed where no client looks for it.
    #[error(
        "{role} lists `{path}`, but clients that want it do not come there; they ask {}",
        in_order(asked)
    )]
    Misplaced {
        /// The path.
        #[serde(serialize_with = "text")]
        path: TargetPath,
        /// Who lists it.
        #[serde(serialize_with = "text")]
        role: Role,
        /// Whom clients ask, in this order.
        #[serde(serialize_with = "texts")]
        asked: Vec<Role>,
    },
    /// A target for which another role answers first.
    #[error("{role} lists `{path}`, but {by} answers for it first{}",
        if *same { "" } else { ", with other bytes" })]
    Shadowed {
        /// The path.
        #[serde(serialize_with = "text")]
        path: TargetPath,
        /// Who lists it in vain.
        #[serde(serialize_with = "text")]
        role: Role,
        /// Who answers.
        #[serde(serialize_with = "text")]
        by: Role,
        /// Whether both list the same length and digest.
        same: bool,
    },
    /// A client's own search ends elsewhere than the role that lists the path.
    #[error("a client that looks for `{path}` does not find it in {role}: {why}")]
    Lookup {
        /// The path.
        #[serde(serialize_with = "text")]
        path: TargetPath,
        /// Who lists it.
        #[serde(serialize_with = "text")]
        role: Role,
        /// Where the search ended.
        why: String,
    },
    /// A project page that cannot be had or believed.
    #[error("{}", about(&format!("the page of {project}"), project, cause))]
    Page {
        /// The project.
        #[serde(serialize_with = "text")]
        project: ProjectName,
        /// Why.
        cause: Cause,
    },
    /// A file on a page that nobody could install.
    #[error("{}", about(filename.as_str(), filename, cause))]
    PageFile {
        /// The project.
        #[serde(serialize_with = "text")]
        project: ProjectName,
        /// The file.
        #[serde(serialize_with = "text")]
        filename: DistributionFilename,
        /// Why.
        cause: Cause,
    },
    /// A target file whose bytes cannot be had or believed.
    #[error("{}", about(&format!("`{path}`"), path, cause))]
    File {
        /// The path.
        #[serde(serialize_with = "text")]
        path: TargetPath,
        /// Why.
        cause: Cause,
    },
}

/// Why something cannot be believed, in words, and of which kind that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The kind, by which programs choose their exit code.
    #[serde(serialize_with = "word")]
    pub kind: Kind,
    /// The error and its causes, in words.
    pub why: String,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl From<ClientError> for Cause {
    fn from(error: ClientError) -> Self {
        Self {
            kind: error.kind(),
            why: with_causes(&error),
        }
    }
}

impl Finding {
    /// Of which kind it is: the kind of its cause, or [`Kind::Refused`].
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::RootHistory { cause, .. }
            | Self::NotDelegated { cause, .. }
            | Self::Role { cause, .. }
            | Self::Page { cause, .. }
            | Self::PageFile { cause, .. }
            | Self::File { cause, .. } => cause.kind,
            Self::Misplaced { .. } => Kind::NotSigned,
            Self::TwoDelegators { .. }
            | Self::Path { .. }
            | Self::Shadowed { .. }
            | Self::Lookup { .. } => Kind::Refused,
        }
    }
}

/// The findings of one audit: the first of them, and how many there were.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) kept: Vec<Finding>,
    pub(crate) left_out: u64,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        if self.kept.len() < FINDINGS {
            self.kept.push(finding);
        } else {
            self.left_out += 1;
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        // Some libraries repeat their cause in their own words.
        if !out.ends_with(&words) {
            out.push_str(": ");
            out.push_str(&words);
        }
        next = cause.source();
    }
    out
}

/// The cause, and what it is about, unless the cause names that itself.
fn about(what: &str, name: &impl fmt::Display, cause: &Cause) -> String {
    if cause.why.contains(&name.to_string()) {
        return cause.why.clone();
    }
    format!("{what}: {cause}")
}

fn in_order(roles: &[Role]) -> String {
    roles.iter().map(Role::name).collect::<Vec<_>>().join(", ")
}

pub(crate) fn text<T: fmt::Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn texts<T: fmt::Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(crate) fn number<S: Serializer>(version: &Version, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(version.get())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn word<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_findings_than_the_limit_are_counted() {
        let role = Role::parse("bins-0").unwrap();
        let mut findings = Findings::default();
        for _ in 0..=FINDINGS {
            findings.add(Finding::TwoDelegators {
                role: role.clone(),
                first: Role::Targets,
                second: Role::Targets,
            });
        }
        assert_eq!((findings.kept.len(), findings.left_out), (FINDINGS, 1));
    }

    #[test]
    fn what_a_cause_names_is_not_named_twice() {
        let file = |why: &str| Finding::File {
            path: TargetPath::parse("packages/00/a/a-1.tar.gz").unwrap(),
            cause: Cause {
                kind: Kind::Digest,
                why: why.to_owned(),
            },
        };
        let own = "`packages/00/a/a-1.tar.gz` is not the file bins-0 lists";
        assert_eq!(file(own).to_string(), own);
        assert_eq!(
            file("the hash differs").to_string(),
            "`packages/00/a/a-1.tar.gz`: the hash differs"
        );
    }

    #[test]
    fn words_name_role_path_and_whom_clients_ask() {
        let path = TargetPath::parse("packages/ab/x/x-1.tar.gz").unwrap();
        let asked = ["targets", "bins", "bins-3"].map(|name| Role::parse(name).unwrap());
        let finding = Finding::Misplaced {
            path,
            role: Role::parse("bins-0").unwrap(),
            asked: asked.into(),
        };
        assert_eq!(
            finding.to_string(),
            "bins-0 lists `packages/ab/x/x-1.tar.gz`, but clients that want it do not come there; \
             they ask targets, bins, bins-3"
        );
    }
}
