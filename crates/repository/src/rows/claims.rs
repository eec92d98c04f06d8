//! Claims and transactions as they stand in rows.

use std::collections::BTreeMap;

use claims::Registration;
use index::ProjectName;
use metadata::{PublicKey, RoleKeys, Sha256, Value};
use serde::{Deserialize, Serialize};

use crate::claim_record::{
    ClaimRecord, ClaimStage, Evidence, Granted, TransactionRecord, key_json,
};
use crate::error::RepositoryError;
use crate::rows::body::{FileBody, RoleBody, read_filename};
use crate::rows::{damaged, to_time};

/// Keys that were granted, the digests of the evidence in the order challenge, request, grant.
#[derive(Serialize, Deserialize)]
pub(super) struct GrantedBody {
    project: String,
    /// KEY objects as JSON text.
    keys: Vec<String>,
    threshold: u32,
    evidence: Option<[String; 3]>,
    received: i64,
}

impl GrantedBody {
    pub(super) fn of(granted: &Granted) -> Self {
        let registration = &granted.registration;
        let digests =
            |one: Evidence| [one.challenge, one.request, one.grant].map(|d| d.to_string());
        Self {
            project: registration.project.to_string(),
            keys: registration.keys.values().map(key_json).collect(),
            threshold: registration.role_keys.threshold,
            evidence: granted.evidence.map(digests),
            received: granted.received.timestamp(),
        }
    }

    pub(super) fn read(self) -> Result<Granted, RepositoryError> {
        let what = || damaged(format!("the keys of {}", self.project));
        let key = |text: &String| {
            let value = Value::parse(text.as_bytes()).map_err(|_| what())?;
            let key = PublicKey::from_value(&value).map_err(|_| what())?;
            Ok((key.id(), key))
        };
        let keys: BTreeMap<_, _> = self
            .keys
            .iter()
            .map(key)
            .collect::<Result<_, RepositoryError>>()?;
        let evidence = match &self.evidence {
            None => None,
            Some(digests) => {
                let read = |text: &String| Sha256::parse(text).map_err(|_| what());
                Some(Evidence {
                    challenge: read(&digests[0])?,
                    request: read(&digests[1])?,
                    grant: read(&digests[2])?,
                })
            }
        };
        let role_keys = RoleKeys {
            keyids: keys.keys().cloned().collect(),
            threshold: self.threshold,
        };
        Ok(Granted {
            registration: Registration {
                project: ProjectName::parse_normalized(&self.project).map_err(|_| what())?,
                keys,
                role_keys,
            },
            evidence,
            received: to_time(self.received, "a claim")?,
        })
    }
}

/// A claim, without its project.
#[derive(Serialize, Deserialize)]
pub(super) struct ClaimBody {
    stage: String,
    since: i64,
    in_force: Option<GrantedBody>,
    next: Option<GrantedBody>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    held: bool,
}

impl ClaimBody {
    pub(super) fn of(claim: &ClaimRecord) -> Self {
        Self {
            stage: claim.stage.as_str().to_owned(),
            since: claim.since.timestamp(),
            in_force: claim.in_force.as_ref().map(GrantedBody::of),
            next: claim.next.as_ref().map(GrantedBody::of),
            held: claim.held,
        }
    }

    pub(super) fn read(self) -> Result<ClaimRecord, RepositoryError> {
        let stage = ClaimStage::ALL
            .into_iter()
            .find(|stage| stage.as_str() == self.stage);
        Ok(ClaimRecord {
            stage: stage.ok_or_else(|| damaged("a claim"))?,
            since: to_time(self.since, "a claim")?,
            in_force: self.in_force.map(GrantedBody::read).transpose()?,
            next: self.next.map(GrantedBody::read).transpose()?,
            held: self.held,
        })
    }
}

/// A verified transaction.
#[derive(Serialize, Deserialize)]
pub(super) struct TransactionBody {
    project: String,
    basis: String,
    roles: Vec<RoleBody>,
    files: Vec<FileBody>,
    withdrawn: Vec<String>,
}

impl TransactionBody {
    pub(super) fn of(transaction: &TransactionRecord) -> Self {
        Self {
            project: transaction.project.to_string(),
            basis: transaction.basis.to_string(),
            roles: transaction.roles.iter().map(RoleBody::of).collect(),
            files: transaction.files.iter().map(FileBody::of).collect(),
            withdrawn: transaction
                .withdrawn
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }

    pub(super) fn read(self) -> Result<TransactionRecord, RepositoryError> {
        let what = || damaged(format!("a transaction of {}", self.project));
        let withdrawn = self.withdrawn.iter();
        Ok(TransactionRecord {
            project: ProjectName::parse_normalized(&self.project).map_err(|_| what())?,
            basis: Sha256::parse(&self.basis).map_err(|_| what())?,
            withdrawn: withdrawn
                .map(|name| read_filename(&self.project, name))
                .collect::<Result<_, _>>()?,
            roles: self
                .roles
                .into_iter()
                .map(RoleBody::read)
                .collect::<Result<_, _>>()?,
            files: self
                .files
                .into_iter()
                .map(FileBody::read)
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Claims of a cycle, by project; `None` for those that go.
pub(super) type ClaimRows = Vec<(String, Option<ClaimBody>)>;

pub(super) fn rows_of(claims: &[(ProjectName, Option<ClaimRecord>)]) -> ClaimRows {
    claims
        .iter()
        .map(|(project, claim)| (project.to_string(), claim.as_ref().map(ClaimBody::of)))
        .collect()
}

pub(super) fn read_rows(
    rows: ClaimRows,
) -> Result<Vec<(ProjectName, Option<ClaimRecord>)>, RepositoryError> {
    rows.into_iter()
        .map(|(project, claim)| {
            let name = ProjectName::parse_normalized(&project).map_err(|_| damaged("a claim"))?;
            Ok((name, claim.map(ClaimBody::read).transpose()?))
        })
        .collect()
}
