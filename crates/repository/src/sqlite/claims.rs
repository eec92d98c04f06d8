//! Claims, the roles of developers, and what they have given up.

use std::collections::{BTreeMap, BTreeSet};

use index::ProjectName;
use metadata::Sha256;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::claim_record::{ClaimRecord, Granted};
use crate::error::RepositoryError;
use crate::record::{RoleRecord, Staged};
use crate::rows::{self, damaged};
use crate::sqlite::{failed, read};

const READING: &str = "reading claims";
const WRITING: &str = "recording claims";

pub(super) fn claim(
    db: &Connection,
    project: &ProjectName,
) -> Result<Option<ClaimRecord>, RepositoryError> {
    let sql = "SELECT body FROM claims WHERE project = ?1";
    let body: Option<String> = db
        .prepare_cached(sql)
        .and_then(|mut query| {
            query
                .query_row([project.as_str()], |row| row.get(0))
                .optional()
        })
        .map_err(failed(READING))?;
    body.map(|body| rows::read_claim(&body)).transpose()
}

pub(super) fn claims(
    db: &Connection,
) -> Result<BTreeMap<ProjectName, ClaimRecord>, RepositoryError> {
    let sql = "SELECT project, body FROM claims";
    read::rows(db, READING, sql, [], read::pair::<String, String>)?
        .into_iter()
        .map(|(project, body)| {
            let name = ProjectName::parse_normalized(&project).map_err(|_| damaged("a claim"))?;
            Ok((name, rows::read_claim(&body)?))
        })
        .collect()
}

pub(super) fn project_roles(
    db: &Connection,
    project: &ProjectName,
) -> Result<Vec<RoleRecord>, RepositoryError> {
    let [own, from, to] = rows::project_role_names(project);
    read::roles_where(
        db,
        "WHERE role = ?1 OR (role >= ?2 AND role < ?3)",
        params![own, from, to],
    )
}

pub(super) fn withdrawn(
    db: &Connection,
    project: &ProjectName,
) -> Result<BTreeSet<String>, RepositoryError> {
    let sql = "SELECT filename FROM withdrawn WHERE project = ?1";
    let rows = read::rows(db, READING, sql, [project.as_str()], |row| row.get(0))?;
    Ok(rows.into_iter().collect())
}

/// Whether keys were registered on this request before.
pub(super) fn is_used(db: &Connection, request: &Sha256) -> Result<bool, RepositoryError> {
    db.query_row(
        "SELECT EXISTS (SELECT 1 FROM claim_requests WHERE request = ?1)",
        [request.to_string()],
        |row| row.get(0),
    )
    .map_err(failed(READING))
}

/// Notes a request as used up, in the transaction that queues the keys it asks for.
pub(super) fn use_up(db: &Connection, granted: &Granted) -> Result<(), RepositoryError> {
    let Some(evidence) = granted.evidence else {
        return Ok(());
    };
    let project = granted.registration.project.as_str();
    let done = db
        .execute(
            "INSERT OR IGNORE INTO claim_requests VALUES (?1, ?2)",
            params![evidence.request.to_string(), project],
        )
        .map_err(failed(WRITING))?;
    if done == 1 {
        return Ok(());
    }
    Err(RepositoryError::ClaimUsed {
        project: granted.registration.project.clone(),
    })
}

/// Rows of a cycle that publishes.
pub(super) fn apply(db: &Transaction<'_>, staged: &Staged) -> Result<(), RepositoryError> {
    write(db, &staged.claims)?;
    for name in &staged.withdrawn {
        let row = params![name.as_str(), name.project().as_str()];
        db.execute("INSERT OR IGNORE INTO withdrawn VALUES (?1, ?2)", row)
            .map_err(failed(WRITING))?;
    }
    Ok(())
}

pub(super) fn write(
    db: &Transaction<'_>,
    claims: &[(ProjectName, Option<ClaimRecord>)],
) -> Result<(), RepositoryError> {
    for (project, claim) in claims {
        match claim {
            Some(claim) => {
                let body = rows::claim(claim)?;
                let row = params![project.as_str(), body];
                db.execute("INSERT OR REPLACE INTO claims VALUES (?1, ?2)", row)
            }
            None => db.execute("DELETE FROM claims WHERE project = ?1", [project.as_str()]),
        }
        .map_err(failed(WRITING))?;
    }
    Ok(())
}
