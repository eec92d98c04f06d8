//! Which objects published timestamps can still name: written in the transaction that moves the head,
//! read by the sweep.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use metadata::{Role, Sha256};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::RepositoryError;
use crate::history::{History, Superseded};
use crate::record::Staged;
use crate::rows::{self, damaged, to_time};
use crate::sqlite::{failed, read};
use crate::store::StorePath;

const DOING: &str = "recording what is replaced";

/// Notes what the publication of `staged` replaces. Called before its rows are written.
pub(super) fn supersede(db: &Connection, staged: &Staged) -> Result<(), RepositoryError> {
    let last = published_version(db, &Role::Timestamp)?;
    if let Some(last) = last {
        for path in replaced(db, staged)? {
            db.prepare_cached("INSERT OR REPLACE INTO superseded VALUES (?1, ?2)")
                .and_then(|mut insert| insert.execute(params![path, last]))
                .map_err(failed(DOING))?;
        }
    }
    for path in rows::named(staged) {
        db.prepare_cached("DELETE FROM superseded WHERE path = ?1")
            .and_then(|mut delete| delete.execute(params![path.as_str()]))
            .map_err(failed(DOING))?;
    }
    for record in &staged.roles {
        if record.role == Role::Timestamp {
            let row = params![
                i64::try_from(record.version.get()).unwrap_or(i64::MAX),
                record.expires.timestamp()
            ];
            db.execute("INSERT OR REPLACE INTO timestamps VALUES (?1, ?2)", row)
                .map_err(failed(DOING))?;
        }
    }
    Ok(())
}

fn published_version(db: &Connection, role: &Role) -> Result<Option<i64>, RepositoryError> {
    let sql = "SELECT version FROM roles WHERE role = ?1";
    db.prepare_cached(sql)
        .and_then(|mut query| query.query_row([role.name()], |row| row.get(0)).optional())
        .map_err(failed(DOING))
}

/// The objects that are published now and that `staged` replaces.
fn replaced(db: &Connection, staged: &Staged) -> Result<Vec<String>, RepositoryError> {
    let mut paths = Vec::new();
    for record in &staged.roles {
        // Roots are never deleted, and there is one timestamp.json (PEP 458 "Cleaning up").
        if matches!(record.role, Role::Root | Role::Timestamp) {
            continue;
        }
        if let Some(version) = published_version(db, &record.role)? {
            let version = rows::version(version, "a role")?;
            paths.extend(StorePath::metadata(
                &record.role.versioned_file_name(version),
            ));
        }
    }
    for role in &staged.dropped {
        if let Some(version) = published_version(db, role)? {
            let version = rows::version(version, "a role")?;
            paths.extend(StorePath::metadata(&role.versioned_file_name(version)));
        }
    }
    for target in &staged.targets {
        let sql = "SELECT sha256 FROM targets WHERE bin = ?1 AND path = ?2";
        let digest: Option<[u8; 32]> = db
            .prepare_cached(sql)
            .and_then(|mut query| {
                let key = params![target.bin, target.path.as_str()];
                query.query_row(key, |row| row.get(0)).optional()
            })
            .map_err(failed(DOING))?;
        if let Some(digest) = digest {
            paths.extend(StorePath::target(&target.path, &Sha256::from_bytes(digest)));
        }
    }
    for name in &staged.gone {
        let sql = "SELECT body FROM files WHERE project = ?1 AND filename = ?2";
        let body: Option<String> = db
            .prepare_cached(sql)
            .and_then(|mut query| {
                let key = params![name.project().as_str(), name.as_str()];
                query.query_row(key, |row| row.get(0)).optional()
            })
            .map_err(failed(DOING))?;
        if let Some(body) = body {
            paths.extend(rows::file_objects(&rows::read_file(&body)?));
        }
    }
    Ok(paths.iter().map(|path| path.as_str().to_owned()).collect())
}

pub(super) fn read(db: &Connection) -> Result<History, RepositoryError> {
    let mut named = BTreeSet::new();
    for record in read::roles(db)? {
        named.extend(rows::role_object(&record));
    }
    for (path, digest) in read::all_targets(db)? {
        named.extend(StorePath::target(&path, &digest));
    }
    for file in read::all_files(db)? {
        named.extend(rows::file_objects(&file));
    }
    let superseded = read::superseded(db)?
        .into_iter()
        .map(|(path, expires)| {
            let path = StorePath::parse(&path).ok_or_else(|| damaged("a replaced object"))?;
            let named_until = to_time(expires, "a replaced object")?;
            Ok(Superseded { path, named_until })
        })
        .collect::<Result<_, RepositoryError>>()?;
    let until: Option<i64> = db
        .query_row("SELECT until FROM unrecorded", [], |row| row.get(0))
        .map_err(failed("reading the history"))?;
    Ok(History {
        named,
        superseded,
        unrecorded_until: until
            .map(|until| to_time(until, "the history"))
            .transpose()?,
    })
}

/// Forgets objects that were deleted, and timestamps expired before `expired`.
pub(super) fn forget(
    db: &mut Connection,
    paths: &[StorePath],
    expired: DateTime<Utc>,
) -> Result<(), RepositoryError> {
    super::journal::transact(db, "forgetting swept objects", |db| {
        for path in paths {
            db.execute("DELETE FROM superseded WHERE path = ?1", [path.as_str()])
                .map_err(failed("forgetting swept objects"))?;
        }
        // Of these nothing depends any more: each would say "dead" only.
        db.execute(
            "DELETE FROM timestamps WHERE expires < ?1",
            [expired.timestamp()],
        )
        .map(drop)
        .map_err(failed("forgetting swept objects"))
    })
}
