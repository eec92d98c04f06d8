//! Everything that is read from the database, each in one round trip.

use std::collections::BTreeMap;

use index::ProjectName;
use metadata::{Role, Sha256, TargetPath, Version};
use postgres::Row;
use postgres::types::Type;
use repository::rows::{self, damaged, to_time, unsigned};
use repository::{
    ChangeId, FileRecord, HeadRecord, OfflineFile, OfflineSet, Outcome, Publication, Queued,
    RepositoryError, RoleRecord, Settings, Staged,
};

use crate::session::{Fault, Param, Session, number, row, rows};

/// A target of a bin: path, length, digest.
pub(crate) type Target = (TargetPath, u64, Sha256);

pub(crate) fn settings(session: &Session) -> Result<Settings, RepositoryError> {
    let found = session.read("reading the settings", |client| {
        let found = rows(client, "SELECT name, value FROM settings", &[])?;
        let pair = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        found
            .iter()
            .map(pair)
            .collect::<Result<BTreeMap<String, String>, Fault>>()
    })?;
    rows::read_settings(|name| found.get(name).cloned())
}

pub(crate) fn head(session: &Session) -> Result<HeadRecord, RepositoryError> {
    session.read("reading the head", |client| {
        let found =
            client.query_typed_one("SELECT generation, signed, timestamp FROM head", &[])?;
        let signed: Option<i64> = found.try_get(1)?;
        Ok(HeadRecord {
            generation: unsigned(found.try_get(0)?, "the head")?,
            signed: signed
                .map(|signed| to_time(signed, "the head"))
                .transpose()?,
            timestamp: found.try_get(2)?,
        })
    })
}

/// The published roles that a condition picks.
pub(crate) fn roles(
    session: &Session,
    condition: &str,
    params: &[Param<'_>],
) -> Result<Vec<RoleRecord>, RepositoryError> {
    let sql =
        format!("SELECT role, version, sha256, length, expires, listing FROM roles {condition}");
    session.read("reading roles", |client| {
        rows(client, &sql, params)?.iter().map(role).collect()
    })
}

fn role(row: &Row) -> Result<RoleRecord, Fault> {
    Ok(rows::read_role((
        row.try_get(0)?,
        row.try_get(1)?,
        row.try_get(2)?,
        row.try_get(3)?,
        row.try_get(4)?,
        row.try_get(5)?,
    ))?)
}

pub(crate) fn allocated(session: &Session) -> Result<BTreeMap<Role, Version>, RepositoryError> {
    session.read("reading versions", |client| {
        let found = rows(client, "SELECT role, version FROM allocated", &[])?;
        let read = |row: &Row| {
            let role: String = row.try_get(0)?;
            let version = rows::version(row.try_get(1)?, "a version")?;
            Ok((rows::role(&role)?, version))
        };
        found.iter().map(read).collect()
    })
}

/// Changes not yet published that a further condition picks, in the order accepted.
pub(crate) fn pending(
    session: &Session,
    condition: &str,
    params: &[Param<'_>],
) -> Result<Vec<Queued>, RepositoryError> {
    let sql = format!(
        "SELECT id, accepted, body FROM changes WHERE outcome IS NULL {condition} ORDER BY id"
    );
    session.read("reading the journal", |client| {
        let read = |row: &Row| {
            let body: String = row.try_get(2)?;
            Ok(Queued {
                id: ChangeId(row.try_get(0)?),
                accepted: to_time(row.try_get(1)?, "a change")?,
                change: rows::read_change(&body)?,
            })
        };
        rows(client, &sql, params)?.iter().map(read).collect()
    })
}

/// What became of changes, and whether the head has moved to work that is not published whole.
pub(crate) fn answers(
    session: &Session,
    ids: &[ChangeId],
) -> Result<(Vec<(ChangeId, Outcome)>, bool), RepositoryError> {
    let asked: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let sql = "SELECT id, outcome,
                   EXISTS (SELECT 1 FROM staged, head WHERE base < generation)
               FROM unnest($1) WITH ORDINALITY AS asked (id, place)
               JOIN changes USING (id) ORDER BY place";
    session.read("reading what became of changes", |client| {
        let found = rows(client, sql, &[(&asked, Type::INT8_ARRAY)])?;
        if found.len() != asked.len() {
            return Err(damaged("a change").into());
        }
        let mut answers = Vec::new();
        let mut unfinished = false;
        for row in found {
            unfinished = row.try_get(2)?;
            let outcome: Option<String> = row.try_get(1)?;
            if let Some(outcome) = outcome {
                answers.push((ChangeId(row.try_get(0)?), rows::read_outcome(&outcome)?));
            }
        }
        Ok((answers, unfinished))
    })
}

/// The files of some projects.
pub(crate) fn files(
    session: &Session,
    projects: &[&ProjectName],
) -> Result<BTreeMap<ProjectName, Vec<FileRecord>>, RepositoryError> {
    let names: Vec<&str> = projects.iter().map(|project| project.as_str()).collect();
    let sql = "SELECT body FROM files WHERE project = ANY ($1) ORDER BY project, filename";
    let found = session.read("reading files", |client| {
        let found = rows(client, sql, &[(&names, Type::TEXT_ARRAY)])?;
        found.iter().map(file).collect::<Result<Vec<_>, Fault>>()
    })?;
    let mut files: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for file in found {
        files.entry(file.project().clone()).or_default().push(file);
    }
    Ok(files)
}

fn file(row: &Row) -> Result<FileRecord, Fault> {
    let body: String = row.try_get(0)?;
    Ok(rows::read_file(&body)?)
}

/// Every file of the index.
pub(crate) fn all_files(session: &Session) -> Result<Vec<FileRecord>, RepositoryError> {
    session.read("reading files", |client| {
        let found = rows(client, "SELECT body FROM files", &[])?;
        found.iter().map(file).collect()
    })
}

/// Projects in order, at most `limit` after the first `skip`.
pub(crate) fn projects(
    session: &Session,
    skip: u64,
    limit: Option<u64>,
) -> Result<Vec<ProjectName>, RepositoryError> {
    let sql = "SELECT project FROM projects ORDER BY project LIMIT $1 OFFSET $2";
    let (limit, skip) = (limit.map(rows::signed), rows::signed(skip));
    session.read("reading projects", |client| {
        let read = |row: &Row| {
            let name: String = row.try_get(0)?;
            Ok(rows::project(&name)?)
        };
        let params: [Param<'_>; 2] = [(&limit, Type::INT8), (&skip, Type::INT8)];
        rows(client, sql, &params)?.iter().map(read).collect()
    })
}

pub(crate) fn count(session: &Session, table: &'static str) -> Result<u64, RepositoryError> {
    let count = session.read("counting", |client| {
        number(client, &format!("SELECT count(*) FROM {table}"), &[])
    })?;
    unsigned(count, table)
}

/// The targets of some bins, in path order.
pub(crate) fn bins(
    session: &Session,
    bins: &[u16],
) -> Result<BTreeMap<u16, Vec<Target>>, RepositoryError> {
    let asked: Vec<i32> = bins.iter().copied().map(i32::from).collect();
    let sql =
        "SELECT bin, path, length, sha256 FROM targets WHERE bin = ANY ($1) ORDER BY bin, path";
    session.read("reading bins", |client| {
        let mut found: BTreeMap<u16, Vec<Target>> = BTreeMap::new();
        for row in rows(client, sql, &[(&asked, Type::INT4_ARRAY)])? {
            let bin: i32 = row.try_get(0)?;
            let bin = u16::try_from(bin).map_err(|_| damaged("a bin"))?;
            let path = path(&row, 1)?;
            let length = unsigned(row.try_get(2)?, "a target")?;
            found
                .entry(bin)
                .or_default()
                .push((path, length, digest(&row, 3)?));
        }
        Ok(found)
    })
}

pub(crate) fn path(row: &Row, at: usize) -> Result<TargetPath, Fault> {
    let text: String = row.try_get(at)?;
    Ok(TargetPath::parse(text).map_err(|_| damaged("a target"))?)
}

pub(crate) fn digest(row: &Row, at: usize) -> Result<Sha256, Fault> {
    let bytes: &[u8] = row.try_get(at)?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| damaged("a digest"))?;
    Ok(Sha256::from_bytes(bytes))
}

/// The targets at these places, as far as they are there: bin and path, length and digest.
pub(crate) fn targets(
    session: &Session,
    asked: &[(u16, &TargetPath)],
) -> Result<BTreeMap<TargetPath, (u64, Sha256)>, RepositoryError> {
    let bins: Vec<i32> = asked.iter().map(|(bin, _)| i32::from(*bin)).collect();
    let paths: Vec<&str> = asked.iter().map(|(_, path)| path.as_str()).collect();
    let sql = "SELECT path, length, sha256 FROM targets JOIN unnest($1, $2) AS asked (bin, path)
               USING (bin, path)";
    session.read("reading targets", |client| {
        let params: [Param<'_>; 2] = [(&bins, Type::INT4_ARRAY), (&paths, Type::TEXT_ARRAY)];
        let read = |row: &Row| {
            let length = unsigned(row.try_get(1)?, "a target")?;
            Ok((path(row, 0)?, (length, digest(row, 2)?)))
        };
        rows(client, sql, &params)?.iter().map(read).collect()
    })
}

/// Every target of the index.
pub(crate) fn all_targets(session: &Session) -> Result<Vec<(TargetPath, Sha256)>, RepositoryError> {
    session.read("reading targets", |client| {
        let found = rows(client, "SELECT path, sha256 FROM targets", &[])?;
        found
            .iter()
            .map(|row| Ok((path(row, 0)?, digest(row, 1)?)))
            .collect()
    })
}

pub(crate) fn digest_of_name(
    session: &Session,
    filename: &str,
) -> Result<Option<Sha256>, RepositoryError> {
    let found = session.read("looking up a file name", |client| {
        let sql = "SELECT sha256 FROM names WHERE filename = $1";
        let found = row(client, sql, &[(&filename, Type::TEXT)])?;
        Ok(found.map(|row| row.try_get::<_, String>(0)).transpose()?)
    })?;
    found
        .map(|text| Sha256::parse(&text).map_err(|_| damaged(filename)))
        .transpose()
}

pub(crate) fn publications(
    session: &Session,
    limit: u64,
) -> Result<Vec<Publication>, RepositoryError> {
    let what = "a publication";
    let sql = "SELECT generation, signed, timestamp, snapshot, bins, changes
               FROM publications ORDER BY generation DESC LIMIT $1";
    let limit = rows::signed(limit);
    session.read("reading the last publications", |client| {
        let read = |row: &Row| {
            let version = |at| -> Result<Option<Version>, Fault> {
                let number: Option<i64> = row.try_get(at)?;
                Ok(number
                    .map(|number| rows::version(number, what))
                    .transpose()?)
            };
            Ok(Publication {
                generation: unsigned(row.try_get(0)?, what)?,
                signed: to_time(row.try_get(1)?, what)?,
                timestamp: version(2)?,
                snapshot: version(3)?,
                bins: unsigned(row.try_get(4)?, what)?,
                changes: unsigned(row.try_get(5)?, what)?,
            })
        };
        rows(client, sql, &[(&limit, Type::INT8)])?
            .iter()
            .map(read)
            .collect()
    })
}

pub(crate) fn waiting_sets(session: &Session) -> Result<Vec<OfflineSet>, RepositoryError> {
    let sql = "SELECT id, role, version, bytes FROM sets LEFT JOIN set_files USING (id)
               WHERE state = 'waiting' ORDER BY id, role, version";
    session.read("reading sets", |client| {
        let mut sets: Vec<OfflineSet> = Vec::new();
        for row in rows(client, sql, &[])? {
            let id: i64 = row.try_get(0)?;
            if sets.last().is_none_or(|set| set.id != id) {
                let files = Vec::new();
                sets.push(OfflineSet { id, files });
            }
            let role: Option<String> = row.try_get(1)?;
            if let (Some(role), Some(set)) = (role, sets.last_mut()) {
                set.files.push(OfflineFile {
                    role: rows::role(&role)?,
                    version: rows::version(row.try_get(2)?, "a set")?,
                    bytes: row.try_get(3)?,
                });
            }
        }
        Ok(sets)
    })
}

pub(crate) fn staged(session: &Session) -> Result<Option<(Staged, bool)>, RepositoryError> {
    session.read("reading journalled work", |client| {
        // Work and objects are of one moment: another signer may be clearing them.
        let mut transaction = client
            .build_transaction()
            .isolation_level(postgres::IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()?;
        let sql = "SELECT base, staged.signed, rows, generation FROM staged, head";
        let Some(found) = row(&mut transaction, sql, &[])? else {
            return Ok(None);
        };
        let (base, generation): (i64, i64) = (found.try_get(0)?, found.try_get(3)?);
        let body: String = found.try_get(2)?;
        let mut staged = rows::read_staged(base, found.try_get(1)?, &body)?;
        let sql = "SELECT phase, path, kind, bytes FROM staged_objects ORDER BY ord";
        for row in rows(&mut transaction, sql, &[])? {
            let (phase, kind): (String, String) = (row.try_get(0)?, row.try_get(2)?);
            staged.objects.push(rows::read_object(
                &phase,
                row.try_get(1)?,
                &kind,
                row.try_get(3)?,
            )?);
        }
        transaction.rollback()?;
        Ok(Some((staged, generation == base + 1)))
    })
}
