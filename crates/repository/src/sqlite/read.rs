//! Everything that is read from the database.

use std::collections::BTreeMap;

use index::ProjectName;
use metadata::{Role, Sha256, TargetPath, Version};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Params};

use crate::change::{ChangeId, Queued};
use crate::error::RepositoryError;
use crate::offline_set::{OfflineFile, OfflineSet};
use crate::record::{FileRecord, RoleRecord, Staged};
use crate::rows::{self as columns, damaged, to_time};
use crate::sqlite::failed;

/// Runs a query and collects its rows.
pub(super) fn rows<T>(
    db: &Connection,
    doing: &'static str,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, RepositoryError> {
    let collect = || {
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        rows.collect::<rusqlite::Result<Vec<T>>>()
    };
    collect().map_err(failed(doing))
}

pub(super) fn pair<A: FromSql, B: FromSql>(row: &rusqlite::Row<'_>) -> rusqlite::Result<(A, B)> {
    Ok((row.get(0)?, row.get(1)?))
}

pub(super) fn roles(db: &Connection) -> Result<Vec<RoleRecord>, RepositoryError> {
    roles_where(db, "", [])
}

/// The published roles that a condition picks.
pub(super) fn roles_where(
    db: &Connection,
    condition: &'static str,
    params: impl Params,
) -> Result<Vec<RoleRecord>, RepositoryError> {
    let sql =
        format!("SELECT role, version, sha256, length, expires, listing FROM roles {condition}");
    rows(db, "reading roles", &sql, params, |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
        ))
    })?
    .into_iter()
    .map(columns::read_role)
    .collect()
}

pub(super) fn allocated(db: &Connection) -> Result<BTreeMap<Role, Version>, RepositoryError> {
    rows(
        db,
        "reading versions",
        "SELECT role, version FROM allocated",
        [],
        pair::<String, i64>,
    )?
    .into_iter()
    .map(|(role, version)| {
        Ok((
            columns::role(&role)?,
            columns::version(version, "a version")?,
        ))
    })
    .collect()
}

pub(super) fn pending(db: &Connection) -> Result<Vec<Queued>, RepositoryError> {
    pending_where(db, "", [])
}

pub(super) fn pending_of(
    db: &Connection,
    project: &ProjectName,
) -> Result<Vec<Queued>, RepositoryError> {
    pending_where(db, "AND project = ?1", [project.as_str()])
}

pub(super) fn pending_count(db: &Connection) -> Result<u64, RepositoryError> {
    db.query_row(
        "SELECT count(*) FROM changes WHERE outcome IS NULL",
        [],
        |row| row.get::<_, i64>(0),
    )
    .map(|count| u64::try_from(count).unwrap_or(0))
    .map_err(failed("counting the journal"))
}

fn pending_where(
    db: &Connection,
    condition: &'static str,
    params: impl Params,
) -> Result<Vec<Queued>, RepositoryError> {
    let sql = format!(
        "SELECT id, accepted, body FROM changes WHERE outcome IS NULL {condition} ORDER BY id"
    );
    rows(db, "reading the journal", &sql, params, |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, String>(2)?,
        ))
    })?
    .into_iter()
    .map(|(id, accepted, body)| {
        Ok(Queued {
            id: ChangeId(id),
            accepted: to_time(accepted, "a change")?,
            change: columns::read_change(&body)?,
        })
    })
    .collect()
}

pub(super) fn files(
    db: &Connection,
    project: &ProjectName,
) -> Result<Vec<FileRecord>, RepositoryError> {
    let sql = "SELECT body FROM files WHERE project = ?1 ORDER BY filename";
    rows(db, "reading files", sql, [project.as_str()], |row| {
        row.get::<_, String>(0)
    })?
    .iter()
    .map(|body| columns::read_file(body))
    .collect()
}

/// Every file of the index.
pub(super) fn all_files(db: &Connection) -> Result<Vec<FileRecord>, RepositoryError> {
    let sql = "SELECT body FROM files";
    rows(db, "reading files", sql, [], |row| row.get::<_, String>(0))?
        .iter()
        .map(|body| columns::read_file(body))
        .collect()
}

/// Every target of the index.
pub(super) fn all_targets(db: &Connection) -> Result<Vec<(TargetPath, Sha256)>, RepositoryError> {
    let sql = "SELECT path, sha256 FROM targets";
    rows(db, "reading targets", sql, [], pair::<String, [u8; 32]>)?
        .into_iter()
        .map(|(path, digest)| {
            let path = TargetPath::parse(path).map_err(|_| damaged("a target"))?;
            Ok((path, Sha256::from_bytes(digest)))
        })
        .collect()
}

/// Objects no longer named, with the time the last timestamp naming them, or one before it, expires.
pub(super) fn superseded(db: &Connection) -> Result<Vec<(String, i64)>, RepositoryError> {
    // A shortened policy may make a later timestamp expire before an earlier one.
    let sql =
        "SELECT path, coalesce((SELECT max(expires) FROM timestamps WHERE version <= last), 0)
               FROM superseded";
    rows(db, "reading replaced objects", sql, [], pair::<String, i64>)
}

pub(super) fn projects(db: &Connection) -> Result<Vec<ProjectName>, RepositoryError> {
    let sql = "SELECT project FROM projects ORDER BY project";
    rows(db, "reading projects", sql, [], |row| {
        row.get::<_, String>(0)
    })?
    .iter()
    .map(|name| ProjectName::parse_normalized(name).map_err(|_| damaged("a project")))
    .collect()
}

pub(super) fn some_projects(
    db: &Connection,
    skip: u64,
    limit: u64,
) -> Result<Vec<ProjectName>, RepositoryError> {
    let sql = "SELECT project FROM projects ORDER BY project LIMIT ?1 OFFSET ?2";
    let [limit, skip] = [limit, skip].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    rows(db, "reading projects", sql, [limit, skip], |row| {
        row.get::<_, String>(0)
    })?
    .iter()
    .map(|name| ProjectName::parse_normalized(name).map_err(|_| damaged("a project")))
    .collect()
}

pub(super) fn target(
    db: &Connection,
    bin: u16,
    path: &TargetPath,
) -> Result<Option<(u64, Sha256)>, RepositoryError> {
    let sql = "SELECT length, sha256 FROM targets WHERE bin = ?1 AND path = ?2";
    let found = rows(
        db,
        "reading a target",
        sql,
        rusqlite::params![bin, path.as_str()],
        pair::<i64, [u8; 32]>,
    )?;
    found
        .into_iter()
        .next()
        .map(|(length, digest)| {
            let length = u64::try_from(length).map_err(|_| damaged("a target"))?;
            Ok((length, Sha256::from_bytes(digest)))
        })
        .transpose()
}

pub(super) fn count(db: &Connection, table: &'static str) -> Result<u64, RepositoryError> {
    let count: i64 = db
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
        .map_err(failed("counting"))?;
    u64::try_from(count).map_err(|_| damaged(table))
}

pub(super) fn bin_targets(
    db: &Connection,
    bin: u16,
) -> Result<Vec<(TargetPath, u64, Sha256)>, RepositoryError> {
    let sql = "SELECT path, length, sha256 FROM targets WHERE bin = ?1 ORDER BY path";
    rows(db, "reading a bin", sql, [bin], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, [u8; 32]>(2)?,
        ))
    })?
    .into_iter()
    .map(|(path, length, sha256)| {
        let length = u64::try_from(length).map_err(|_| damaged("a target"))?;
        let path = TargetPath::parse(path).map_err(|_| damaged("a target"))?;
        Ok((path, length, Sha256::from_bytes(sha256)))
    })
    .collect()
}

pub(super) fn waiting_sets(db: &Connection) -> Result<Vec<OfflineSet>, RepositoryError> {
    let sql = "SELECT id FROM sets WHERE state = 'waiting' ORDER BY id";
    rows(db, "reading sets", sql, [], |row| row.get::<_, i64>(0))?
        .into_iter()
        .map(|id| {
            let sql = "SELECT role, version, bytes FROM set_files WHERE id = ?1";
            let files = rows(db, "reading a set", sql, [id], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                ))
            })?;
            let files = files
                .into_iter()
                .map(|(role, version, bytes)| {
                    Ok(OfflineFile {
                        role: columns::role(&role)?,
                        version: columns::version(version, "a set")?,
                        bytes,
                    })
                })
                .collect::<Result<_, RepositoryError>>()?;
            Ok(OfflineSet { id, files })
        })
        .collect()
}

pub(super) fn staged(db: &Connection) -> Result<Option<(Staged, bool)>, RepositoryError> {
    let row: Option<(i64, i64, String, i64)> = db
        .query_row(
            "SELECT base, staged.signed, rows, generation FROM staged, head",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()
        .map_err(failed("reading journalled work"))?;
    let Some((base, signed, body, generation)) = row else {
        return Ok(None);
    };
    let mut staged = columns::read_staged(base, signed, &body)?;
    let sql = "SELECT phase, path, kind, bytes FROM staged_objects ORDER BY ord";
    staged.objects = rows(db, "reading journalled work", sql, [], |row| {
        let (phase, path): (String, String) = pair(row)?;
        Ok((
            phase,
            path,
            row.get::<_, String>(2)?,
            row.get::<_, Vec<u8>>(3)?,
        ))
    })?
    .into_iter()
    .map(|(phase, path, kind, bytes)| columns::read_object(&phase, path, &kind, bytes))
    .collect::<Result<_, _>>()?;
    Ok(Some((staged, generation == base + 1)))
}
