//! The documents that stand in text columns.

use draft::BinLayout;
use index::{BinCount, DistributionFilename, Yanked};
use metadata::{Role, Sha256, TargetPath, Version};
use policy::Encoding;
use serde::{Deserialize, Serialize};

use crate::change::{Change, ChangeId, Outcome};
use crate::error::RepositoryError;
use crate::record::{FileRecord, Listing, RoleRecord, Staged, TargetRecord};
use crate::rows::claims::{ClaimRows, GrantedBody, TransactionBody, read_rows, rows_of};
use crate::rows::{damaged, to_time};

/// A file of the index.
#[derive(Serialize, Deserialize)]
pub(super) struct FileBody {
    filename: String,
    project: String,
    sha256: String,
    size: u64,
    requires_python: Option<String>,
    uploaded: i64,
    core_metadata: Option<(String, u64)>,
    /// The reason; empty without one. Files of schema version 1 have no such member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    yanked: Option<String>,
}

fn yanked_text(yanked: &Yanked) -> Option<String> {
    match yanked {
        Yanked::No => None,
        Yanked::Yes => Some(String::new()),
        Yanked::Because(reason) => Some(reason.clone()),
    }
}

fn read_yanked(text: Option<String>) -> Yanked {
    match text {
        None => Yanked::No,
        Some(reason) if reason.is_empty() => Yanked::Yes,
        Some(reason) => Yanked::Because(reason),
    }
}

impl FileBody {
    pub(super) fn of(file: &FileRecord) -> Self {
        Self {
            filename: file.filename.as_str().to_owned(),
            project: file.project().as_str().to_owned(),
            sha256: file.sha256.to_string(),
            size: file.size,
            requires_python: file.requires_python.clone(),
            uploaded: file.uploaded.timestamp(),
            core_metadata: file
                .core_metadata
                .map(|(digest, size)| (digest.to_string(), size)),
            yanked: yanked_text(&file.yanked),
        }
    }

    pub(super) fn read(self) -> Result<FileRecord, RepositoryError> {
        let what = || damaged(format!("file {}", self.filename));
        let digest = |text: &str| Sha256::parse(text).map_err(|_| what());
        Ok(FileRecord {
            filename: read_filename(&self.project, &self.filename)?,
            sha256: digest(&self.sha256)?,
            size: self.size,
            uploaded: to_time(self.uploaded, &self.filename)?,
            core_metadata: self
                .core_metadata
                .as_ref()
                .map(|(text, size)| digest(text).map(|digest| (digest, *size)))
                .transpose()?,
            requires_python: self.requires_python,
            yanked: read_yanked(self.yanked),
        })
    }
}

pub(super) fn read_filename(
    project: &str,
    filename: &str,
) -> Result<DistributionFilename, RepositoryError> {
    let what = || damaged(format!("file {filename}"));
    let project = index::ProjectName::parse_normalized(project).map_err(|_| what())?;
    DistributionFilename::parse_for(filename, &project).map_err(|_| what())
}

/// A queued change.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ChangeBody {
    Add(FileBody),
    Remove {
        project: String,
        filename: String,
    },
    Yank {
        project: String,
        filename: String,
        yanked: Option<String>,
    },
    Claim(GrantedBody),
    Transaction(TransactionBody),
    Release {
        project: String,
    },
}

impl ChangeBody {
    pub(super) fn of(change: &Change) -> Self {
        match change {
            Change::Add(file) => Self::Add(FileBody::of(file)),
            Change::Remove(filename) => Self::Remove {
                project: filename.project().as_str().to_owned(),
                filename: filename.as_str().to_owned(),
            },
            Change::Yank(filename, yanked) => Self::Yank {
                project: filename.project().as_str().to_owned(),
                filename: filename.as_str().to_owned(),
                yanked: yanked_text(yanked),
            },
            Change::Claim(granted) => Self::Claim(GrantedBody::of(granted)),
            Change::Transaction(transaction) => Self::Transaction(TransactionBody::of(transaction)),
            Change::Release(project) => Self::Release {
                project: project.to_string(),
            },
        }
    }

    pub(super) fn read(self) -> Result<Change, RepositoryError> {
        Ok(match self {
            Self::Add(file) => Change::Add(file.read()?),
            Self::Remove { project, filename } => {
                Change::Remove(read_filename(&project, &filename)?)
            }
            Self::Yank {
                project,
                filename,
                yanked,
            } => Change::Yank(read_filename(&project, &filename)?, read_yanked(yanked)),
            Self::Claim(granted) => Change::Claim(Box::new(granted.read()?)),
            Self::Transaction(transaction) => Change::Transaction(Box::new(transaction.read()?)),
            Self::Release { project } => Change::Release(
                index::ProjectName::parse_normalized(&project).map_err(|_| damaged("a change"))?,
            ),
        })
    }
}

/// What became of a change.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OutcomeBody {
    Published(u64),
    Refused(String),
}

impl OutcomeBody {
    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Published(version) => Self::Published(version.get()),
            Outcome::Refused(why) => Self::Refused(why.clone()),
        }
    }

    pub(super) fn read(self) -> Result<Outcome, RepositoryError> {
        Ok(match self {
            Self::Published(version) => Outcome::Published(read_version(version)?),
            Self::Refused(why) => Outcome::Refused(why),
        })
    }
}

pub(crate) fn read_version(number: u64) -> Result<Version, RepositoryError> {
    Version::new(number).map_err(|_| damaged("a version"))
}

/// A published role.
#[derive(Serialize, Deserialize)]
pub(super) struct RoleBody {
    pub(super) role: String,
    pub(super) version: u64,
    pub(super) sha256: String,
    pub(super) length: u64,
    pub(super) expires: i64,
    pub(super) listing: Listing,
}

impl RoleBody {
    pub(super) fn of(record: &RoleRecord) -> Self {
        Self {
            role: record.role.name().to_owned(),
            version: record.version.get(),
            sha256: record.sha256.to_string(),
            length: record.length,
            expires: record.expires.timestamp(),
            listing: record.listing,
        }
    }

    pub(super) fn read(self) -> Result<RoleRecord, RepositoryError> {
        let what = || damaged(format!("role {}", self.role));
        Ok(RoleRecord {
            role: Role::parse(&self.role).map_err(|_| what())?,
            version: read_version(self.version)?,
            sha256: Sha256::parse(&self.sha256).map_err(|_| what())?,
            length: self.length,
            expires: to_time(self.expires, &self.role)?,
            listing: self.listing,
        })
    }
}

/// Bin, path, and length with digest unless the target is gone.
type TargetRow = (u16, String, Option<(u64, String)>);

/// The rows a cycle will change, all but the objects' bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct StagedBody {
    roles: Vec<RoleBody>,
    files: Vec<FileBody>,
    gone: Vec<(String, String)>,
    targets: Vec<TargetRow>,
    outcomes: Vec<(i64, OutcomeBody)>,
    sets: Vec<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dropped: Vec<String>,
    /// How many bins there will be, and whether they are listed succinctly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layout: Option<(u32, bool)>,
    /// Work journalled by schema version 3 has neither of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: ClaimRows,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    withdrawn: Vec<(String, String)>,
    /// In seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recovered: Option<i64>,
}

impl StagedBody {
    pub(super) fn of(staged: &Staged) -> Self {
        let target = |record: &TargetRecord| {
            let file = record
                .file
                .map(|(length, digest)| (length, digest.to_string()));
            (record.bin, record.path.as_str().to_owned(), file)
        };
        let name = |name: &DistributionFilename| {
            (name.project().as_str().to_owned(), name.as_str().to_owned())
        };
        Self {
            roles: staged.roles.iter().map(RoleBody::of).collect(),
            files: staged.files.iter().map(FileBody::of).collect(),
            gone: staged.gone.iter().map(name).collect(),
            targets: staged.targets.iter().map(target).collect(),
            outcomes: staged
                .outcomes
                .iter()
                .map(|(id, outcome)| (id.0, OutcomeBody::of(outcome)))
                .collect(),
            sets: staged.sets.clone(),
            dropped: staged
                .dropped
                .iter()
                .map(|role| role.name().to_owned())
                .collect(),
            layout: staged.layout.map(|layout| {
                let is_succinct = layout.encoding == Encoding::Succinct;
                (layout.count.get(), is_succinct)
            }),
            claims: rows_of(&staged.claims),
            withdrawn: staged.withdrawn.iter().map(name).collect(),
            recovered: staged.recovered.map(|at| at.timestamp()),
        }
    }

    /// Fills everything of `staged` that stands in rows.
    pub(super) fn read_into(self, staged: &mut Staged) -> Result<(), RepositoryError> {
        let target = |(bin, path, file): TargetRow| {
            let what = || damaged(format!("target {path}"));
            let digest = |text: String| Sha256::parse(&text).map_err(|_| what());
            let file = file
                .map(|(length, text)| digest(text).map(|digest| (length, digest)))
                .transpose()?;
            let path = TargetPath::parse(path.clone()).map_err(|_| what())?;
            Ok(TargetRecord { bin, path, file })
        };
        staged.roles = self
            .roles
            .into_iter()
            .map(RoleBody::read)
            .collect::<Result<_, _>>()?;
        staged.files = self
            .files
            .into_iter()
            .map(FileBody::read)
            .collect::<Result<_, _>>()?;
        staged.gone = self
            .gone
            .iter()
            .map(|(project, filename)| read_filename(project, filename))
            .collect::<Result<_, _>>()?;
        staged.targets = self
            .targets
            .into_iter()
            .map(target)
            .collect::<Result<_, RepositoryError>>()?;
        staged.outcomes = self
            .outcomes
            .into_iter()
            .map(|(id, outcome)| Ok((ChangeId(id), outcome.read()?)))
            .collect::<Result<_, RepositoryError>>()?;
        staged.sets = self.sets;
        let role = |name: String| Role::parse(&name).map_err(|_| damaged(name));
        staged.dropped = self
            .dropped
            .into_iter()
            .map(role)
            .collect::<Result<_, _>>()?;
        staged.layout = self.layout.map(read_layout).transpose()?;
        staged.claims = read_rows(self.claims)?;
        staged.withdrawn = self
            .withdrawn
            .iter()
            .map(|(project, filename)| read_filename(project, filename))
            .collect::<Result<_, _>>()?;
        let time = |seconds| to_time(seconds, "a recovery");
        staged.recovered = self.recovered.map(time).transpose()?;
        Ok(())
    }
}

fn read_layout((count, is_succinct): (u32, bool)) -> Result<BinLayout, RepositoryError> {
    let count = BinCount::new(count.into()).map_err(|_| damaged("a number of bins"))?;
    let encoding = if is_succinct {
        Encoding::Succinct
    } else {
        Encoding::PathHashPrefixes
    };
    Ok(BinLayout { count, encoding })
}
