//! Which objects published timestamps can still name: written in the transaction that moves the head,
//! read by the sweep.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use metadata::Role;
use postgres::Transaction;
use postgres::types::Type;
use repository::rows::{self, damaged, signed, to_time};
use repository::{History, RepositoryError, Staged, StorePath, Superseded};

use crate::read::{self, digest, path};
use crate::session::{Fault, Param, Session, row, rows as query, run};

/// Notes what the publication of `staged` replaces. Called before its rows are written.
pub(crate) fn supersede(transaction: &mut Transaction<'_>, staged: &Staged) -> Result<(), Fault> {
    let sql = "SELECT version FROM roles WHERE role = 'timestamp'";
    if let Some(last) = row(transaction, sql, &[])? {
        let last: i64 = last.try_get(0)?;
        let replaced = replaced(transaction, staged)?;
        let paths: Vec<&str> = replaced.iter().map(StorePath::as_str).collect();
        if !paths.is_empty() {
            let sql = "INSERT INTO superseded SELECT path, $2 FROM unnest($1) AS path
                       ON CONFLICT (path) DO UPDATE SET last = excluded.last";
            let params: [Param<'_>; 2] = [(&paths, Type::TEXT_ARRAY), (&last, Type::INT8)];
            run(transaction, sql, &params)?;
        }
    }
    let named: Vec<String> = rows::named(staged)
        .map(|path| path.as_str().to_owned())
        .collect();
    let sql = "DELETE FROM superseded WHERE path = ANY ($1)";
    run(transaction, sql, &[(&named, Type::TEXT_ARRAY)])?;
    for record in &staged.roles {
        if record.role == Role::Timestamp {
            let sql = "INSERT INTO timestamps VALUES ($1, $2)
                       ON CONFLICT (version) DO UPDATE SET expires = excluded.expires";
            let version = signed(record.version.get());
            let expires = record.expires.timestamp();
            let params: [Param<'_>; 2] = [(&version, Type::INT8), (&expires, Type::INT8)];
            run(transaction, sql, &params)?;
        }
    }
    Ok(())
}

/// The objects that are published now and that `staged` replaces.
fn replaced(
    transaction: &mut Transaction<'_>,
    staged: &Staged,
) -> Result<BTreeSet<StorePath>, Fault> {
    let mut paths = BTreeSet::new();
    // Roots are never deleted, and there is one timestamp.json (PEP 458 "Cleaning up").
    let is_kept = |role: &&Role| !matches!(role, Role::Root | Role::Timestamp);
    let signed_anew = staged
        .roles
        .iter()
        .map(|record| &record.role)
        .filter(is_kept);
    let names: Vec<&str> = signed_anew.chain(&staged.dropped).map(Role::name).collect();
    let sql = "SELECT role, version FROM roles WHERE role = ANY ($1)";
    for row in query(transaction, sql, &[(&names, Type::TEXT_ARRAY)])? {
        let name: String = row.try_get(0)?;
        let version = rows::version(row.try_get(1)?, "a role")?;
        let file = rows::role(&name)?.versioned_file_name(version);
        paths.extend(StorePath::metadata(&file));
    }
    if !staged.targets.is_empty() {
        let bins: Vec<i32> = staged
            .targets
            .iter()
            .map(|one| i32::from(one.bin))
            .collect();
        let asked: Vec<&str> = staged.targets.iter().map(|one| one.path.as_str()).collect();
        let sql = "SELECT path, sha256 FROM targets JOIN unnest($1, $2) AS asked (bin, path)
                   USING (bin, path)";
        let params: [Param<'_>; 2] = [(&bins, Type::INT4_ARRAY), (&asked, Type::TEXT_ARRAY)];
        for row in query(transaction, sql, &params)? {
            paths.extend(StorePath::target(&path(&row, 0)?, &digest(&row, 1)?));
        }
    }
    if !staged.gone.is_empty() {
        let projects: Vec<&str> = staged
            .gone
            .iter()
            .map(|name| name.project().as_str())
            .collect();
        let names: Vec<&str> = staged
            .gone
            .iter()
            .map(index::DistributionFilename::as_str)
            .collect();
        let sql = "SELECT body FROM files JOIN unnest($1, $2) AS gone (project, filename)
                   USING (project, filename)";
        let params: [Param<'_>; 2] = [(&projects, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
        for row in query(transaction, sql, &params)? {
            let body: String = row.try_get(0)?;
            paths.extend(rows::file_objects(&rows::read_file(&body)?));
        }
    }
    Ok(paths)
}

pub(crate) fn read(session: &Session) -> Result<History, RepositoryError> {
    let mut named = BTreeSet::new();
    named.extend(
        read::roles(session, "", &[])?
            .iter()
            .filter_map(rows::role_object),
    );
    for (path, digest) in read::all_targets(session)? {
        named.extend(StorePath::target(&path, &digest));
    }
    for file in read::all_files(session)? {
        named.extend(rows::file_objects(&file));
    }
    session.read("reading the history", |client| {
        // A shortened policy may make a later timestamp expire before an earlier one. The highest expiry
        // up to each version is worked out once, not again for each object.
        let sql = "WITH lasting AS (
                       SELECT version, max(expires) OVER (ORDER BY version) AS expires FROM timestamps
                   )
                   SELECT path, coalesce((SELECT expires FROM lasting WHERE version <= last
                       ORDER BY version DESC LIMIT 1), 0) FROM superseded";
        let mut superseded = Vec::new();
        for row in query(client, sql, &[])? {
            let path: String = row.try_get(0)?;
            let path = StorePath::parse(&path).ok_or_else(|| damaged("a replaced object"))?;
            let named_until = to_time(row.try_get(1)?, "a replaced object")?;
            superseded.push(Superseded { path, named_until });
        }
        let until = client.query_typed_one("SELECT until FROM unrecorded", &[])?;
        let until: Option<i64> = until.try_get(0)?;
        Ok(History {
            named: named.clone(),
            superseded,
            unrecorded_until: until.map(|until| to_time(until, "the history")).transpose()?,
        })
    })
}

/// Forgets objects that were deleted, and timestamps expired before `expired`.
pub(crate) fn forget(
    transaction: &mut Transaction<'_>,
    paths: &[StorePath],
    expired: DateTime<Utc>,
) -> Result<(), Fault> {
    let paths: Vec<&str> = paths.iter().map(StorePath::as_str).collect();
    let sql = "DELETE FROM superseded WHERE path = ANY ($1)";
    run(transaction, sql, &[(&paths, Type::TEXT_ARRAY)])?;
    // Of these nothing depends any more: each would say "dead" only.
    let sql = "DELETE FROM timestamps WHERE expires < $1";
    run(transaction, sql, &[(&expired.timestamp(), Type::INT8)]).map(drop)
}
