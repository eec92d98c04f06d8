//! Claims, and what developers have given up.

use std::collections::{BTreeMap, BTreeSet};

use index::ProjectName;
use metadata::Sha256;
use postgres::types::Type;
use postgres::{Row, Transaction};
use repository::{ClaimRecord, RepositoryError, RoleRecord, rows};

use crate::read;
use crate::session::{Fault, Session, row, rows, run};

const READING: &str = "reading claims";

pub(crate) fn claim(
    session: &Session,
    project: &ProjectName,
) -> Result<Option<ClaimRecord>, RepositoryError> {
    session.read(READING, |client| {
        let sql = "SELECT body FROM claims WHERE project = $1";
        let Some(found) = row(client, sql, &[(&project.as_str(), Type::TEXT)])? else {
            return Ok(None);
        };
        let body: String = found.try_get(0)?;
        Ok(Some(rows::read_claim(&body)?))
    })
}

pub(crate) fn claims(
    session: &Session,
) -> Result<BTreeMap<ProjectName, ClaimRecord>, RepositoryError> {
    session.read(READING, |client| {
        let read = |row: &Row| {
            let (project, body): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            Ok((rows::project(&project)?, rows::read_claim(&body)?))
        };
        let found = rows(client, "SELECT project, body FROM claims", &[])?;
        found.iter().map(read).collect()
    })
}

pub(crate) fn is_used(session: &Session, request: &Sha256) -> Result<bool, RepositoryError> {
    let request = request.to_string();
    session.read(READING, |client| {
        let sql = "SELECT 1 FROM claim_requests WHERE request = $1";
        Ok(row(client, sql, &[(&request, Type::TEXT)])?.is_some())
    })
}

pub(crate) fn project_roles(
    session: &Session,
    project: &ProjectName,
) -> Result<Vec<RoleRecord>, RepositoryError> {
    let [own, from, to] = rows::project_role_names(project);
    read::roles(
        session,
        "WHERE role = $1 OR (role >= $2 AND role < $3)",
        &[(&own, Type::TEXT), (&from, Type::TEXT), (&to, Type::TEXT)],
    )
}

pub(crate) fn withdrawn(
    session: &Session,
    project: &ProjectName,
) -> Result<BTreeSet<String>, RepositoryError> {
    session.read(READING, |client| {
        let sql = "SELECT filename FROM withdrawn WHERE project = $1";
        let found = rows(client, sql, &[(&project.as_str(), Type::TEXT)])?;
        let name = |row: &Row| Ok(row.try_get(0)?);
        found.iter().map(name).collect::<Result<_, Fault>>()
    })
}

/// Writes claims as they will be; `None` for those that go.
pub(crate) fn write(
    transaction: &mut Transaction<'_>,
    claims: &[(ProjectName, Option<ClaimRecord>)],
) -> Result<(), Fault> {
    let (mut kept, mut bodies, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    // The last word on a project counts.
    let last: BTreeMap<_, _> = claims
        .iter()
        .map(|(project, claim)| (project, claim))
        .collect();
    for (project, claim) in last {
        match claim {
            Some(claim) => {
                kept.push(project.as_str());
                bodies.push(rows::claim(claim)?);
            }
            None => gone.push(project.as_str()),
        }
    }
    if !kept.is_empty() {
        let sql = "INSERT INTO claims SELECT * FROM unnest($1, $2)
                   ON CONFLICT (project) DO UPDATE SET body = excluded.body";
        let params = [
            (
                &kept as &(dyn postgres::types::ToSql + Sync),
                Type::TEXT_ARRAY,
            ),
            (&bodies, Type::TEXT_ARRAY),
        ];
        run(transaction, sql, &params)?;
    }
    if !gone.is_empty() {
        let sql = "DELETE FROM claims WHERE project = ANY ($1)";
        run(transaction, sql, &[(&gone, Type::TEXT_ARRAY)])?;
    }
    Ok(())
}
