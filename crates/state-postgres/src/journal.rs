//! Queues changes and sets, journals a cycle's work, answers what was queued.

use std::collections::BTreeMap;
use std::io::Write;

use chrono::{DateTime, Utc};
use metadata::{Role, Version};
use postgres::Transaction;
use postgres::types::Type;
use repository::rows::{self, signed};
use repository::{
    Change, ChangeId, FileRecord, Object, OfflineFile, Outcome, RepositoryError, Staged,
};

use crate::session::{Fault, Param, rows as query, run};

/// What a binary copy begins with: signature, flags, length of the header's extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

pub(crate) fn enqueue(
    transaction: &mut Transaction<'_>,
    changes: &[&Change],
    now: DateTime<Utc>,
) -> Result<Vec<ChangeId>, Fault> {
    take_names(transaction, changes)?;
    use_requests_up(transaction, changes)?;
    let bodies = changes.iter().map(|change| rows::change(change));
    let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
    let projects: Vec<&str> = changes
        .iter()
        .map(|change| change.project().as_str())
        .collect();
    let sql = "INSERT INTO changes (accepted, body, project)
               SELECT $1, body, project
               FROM unnest($2, $3) WITH ORDINALITY AS queued (body, project, place)
               ORDER BY place RETURNING id";
    let now = now.timestamp();
    let params: [Param<'_>; 3] = [
        (&now, Type::INT8),
        (&bodies, Type::TEXT_ARRAY),
        (&projects, Type::TEXT_ARRAY),
    ];
    let found = query(transaction, sql, &params)?;
    let mut ids = found
        .iter()
        .map(|row| Ok(ChangeId(row.try_get(0)?)))
        .collect::<Result<Vec<_>, postgres::Error>>()?;
    // They are given out in the order of the changes.
    ids.sort();
    Ok(ids)
}

/// A name stands for the bytes it was first taken for, whoever asked at the same moment (reference F7).
fn take_names(transaction: &mut Transaction<'_>, changes: &[&Change]) -> Result<(), Fault> {
    let mut wanted: BTreeMap<&str, String> = BTreeMap::new();
    for file in changes.iter().flat_map(|change| change.files()) {
        let digest = file.sha256.to_string();
        let taken = wanted
            .entry(file.filename.as_str())
            .or_insert_with(|| digest.clone());
        if *taken != digest {
            return Err(name_taken(file.filename.as_str(), taken.clone()).into());
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = wanted.keys().copied().collect();
    let digests: Vec<&str> = wanted.values().map(String::as_str).collect();
    // In order, so that two calls wait for each other instead of standing in each other's way.
    let sql = "INSERT INTO names SELECT * FROM unnest($1, $2) AS new (filename, sha256)
               ORDER BY filename ON CONFLICT (filename) DO NOTHING";
    let params: [Param<'_>; 2] = [(&names, Type::TEXT_ARRAY), (&digests, Type::TEXT_ARRAY)];
    run(transaction, sql, &params)?;
    let sql = "SELECT filename, sha256 FROM names WHERE filename = ANY ($1)";
    for row in query(transaction, sql, &[(&names, Type::TEXT_ARRAY)])? {
        let (name, taken): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if wanted.get(name.as_str()) != Some(&taken) {
            return Err(name_taken(&name, taken).into());
        }
    }
    Ok(())
}

fn name_taken(filename: &str, published: String) -> RepositoryError {
    RepositoryError::NameTaken {
        filename: filename.to_owned(),
        published,
    }
}

/// Notes requests as used up, with the keys they ask for.
fn use_requests_up(transaction: &mut Transaction<'_>, changes: &[&Change]) -> Result<(), Fault> {
    for change in changes {
        let Change::Claim(granted) = change else {
            continue;
        };
        let Some(evidence) = granted.evidence else {
            continue;
        };
        let project = &granted.registration.project;
        let request = evidence.request.to_string();
        let sql = "INSERT INTO claim_requests VALUES ($1, $2) ON CONFLICT (request) DO NOTHING";
        let params: [Param<'_>; 2] = [(&request, Type::TEXT), (&project.as_str(), Type::TEXT)];
        if run(transaction, sql, &params)? == 0 {
            let project = project.clone();
            return Err(RepositoryError::ClaimUsed { project }.into());
        }
    }
    Ok(())
}

pub(crate) fn enqueue_set(
    transaction: &mut Transaction<'_>,
    files: &[OfflineFile],
    now: DateTime<Utc>,
) -> Result<i64, Fault> {
    let sql = "INSERT INTO sets (received, state) VALUES ($1, 'waiting') RETURNING id";
    let id = crate::session::number(transaction, sql, &[(&now.timestamp(), Type::INT8)])?;
    let names: Vec<&str> = files.iter().map(|file| file.role.name()).collect();
    let versions: Vec<i64> = files
        .iter()
        .map(|file| signed(file.version.get()))
        .collect();
    let bytes: Vec<&[u8]> = files.iter().map(|file| file.bytes.as_slice()).collect();
    let sql = "INSERT INTO set_files SELECT $1, * FROM unnest($2, $3, $4)";
    run(
        transaction,
        sql,
        &[
            (&id, Type::INT8),
            (&names, Type::TEXT_ARRAY),
            (&versions, Type::INT8_ARRAY),
            (&bytes, Type::BYTEA_ARRAY),
        ],
    )?;
    Ok(id)
}

pub(crate) fn stage(transaction: &mut Transaction<'_>, staged: &Staged) -> Result<(), Fault> {
    let versions = staged.roles.iter();
    allocate(
        transaction,
        versions.map(|record| (&record.role, record.version)),
    )?;
    let body = rows::staged(staged)?;
    let (base, time) = (signed(staged.base), staged.signed.timestamp());
    let params: [Param<'_>; 3] = [
        (&base, Type::INT8),
        (&time, Type::INT8),
        (&body, Type::TEXT),
    ];
    run(
        transaction,
        "INSERT INTO staged VALUES (1, $1, $2, $3)",
        &params,
    )?;
    copy_objects(transaction, &staged.objects)
}

/// Sends the objects in one stream: a cycle that signs every bin has gigabytes.
fn copy_objects(transaction: &mut Transaction<'_>, objects: &[Object]) -> Result<(), Fault> {
    let sql = "COPY staged_objects (ord, phase, path, kind, bytes) FROM STDIN (FORMAT binary)";
    let sending = |source: std::io::Error| {
        Fault::Other(RepositoryError::State {
            doing: "journalling a cycle",
            source: source.into(),
        })
    };
    let mut writer = transaction.copy_in(sql)?;
    let mut row = Vec::new();
    writer.write_all(COPY_HEADER).map_err(sending)?;
    for (ord, object) in objects.iter().enumerate() {
        let (phase, path, kind, bytes) = rows::object(object);
        row.clear();
        row.extend(5_i16.to_be_bytes());
        let ord = signed(ord as u64).to_be_bytes();
        for field in [
            &ord,
            phase.as_bytes(),
            path.as_bytes(),
            kind.as_bytes(),
            &bytes,
        ] {
            let length = i32::try_from(field.len()).map_err(|_| rows::damaged("an object"))?;
            row.extend(length.to_be_bytes());
            row.extend(field);
        }
        writer.write_all(&row).map_err(sending)?;
    }
    writer.write_all(&(-1_i16).to_be_bytes()).map_err(sending)?;
    writer.finish()?;
    Ok(())
}

/// Gives versions out for good.
pub(crate) fn allocate<'a>(
    transaction: &mut Transaction<'_>,
    versions: impl Iterator<Item = (&'a Role, Version)>,
) -> Result<(), Fault> {
    let mut highest: BTreeMap<&Role, Version> = BTreeMap::new();
    for (role, version) in versions {
        let before = highest.entry(role).or_insert(version);
        *before = version.max(*before);
    }
    let names: Vec<&str> = highest.keys().map(|role| role.name()).collect();
    let versions: Vec<i64> = highest.values().map(|one| signed(one.get())).collect();
    let sql = "INSERT INTO allocated SELECT * FROM unnest($1, $2) ON CONFLICT (role)
               DO UPDATE SET version = greatest(allocated.version, excluded.version)";
    let params: [Param<'_>; 2] = [(&names, Type::TEXT_ARRAY), (&versions, Type::INT8_ARRAY)];
    run(transaction, sql, &params).map(drop)
}

pub(crate) fn give_up(
    transaction: &mut Transaction<'_>,
    versions: &BTreeMap<Role, Version>,
    until: Option<DateTime<Utc>>,
) -> Result<(), Fault> {
    allocate(
        transaction,
        versions.iter().map(|(role, version)| (role, *version)),
    )?;
    if let Some(until) = until {
        let sql = "UPDATE unrecorded SET until = greatest(until, $1)";
        run(transaction, sql, &[(&until.timestamp(), Type::INT8)])?;
    }
    Ok(())
}

pub(crate) fn record_outcomes(
    transaction: &mut Transaction<'_>,
    outcomes: &[(ChangeId, Outcome)],
) -> Result<(), Fault> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = outcomes.iter().map(|(id, _)| id.0).collect();
    let bodies = outcomes.iter().map(|(_, outcome)| rows::outcome(outcome));
    let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
    let sql = "UPDATE changes SET outcome = told.outcome
               FROM unnest($1, $2) AS told (id, outcome) WHERE changes.id = told.id";
    let params: [Param<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&bodies, Type::TEXT_ARRAY)];
    run(transaction, sql, &params).map(drop)
}

/// Writes files over those of before, and their names and projects.
pub(crate) fn write_files(
    transaction: &mut Transaction<'_>,
    files: &[FileRecord],
) -> Result<(), Fault> {
    if files.is_empty() {
        return Ok(());
    }
    let last: BTreeMap<&str, &FileRecord> = files
        .iter()
        .map(|file| (file.filename.as_str(), file))
        .collect();
    let names: Vec<&str> = last.keys().copied().collect();
    let projects: Vec<&str> = last.values().map(|file| file.project().as_str()).collect();
    let digests: Vec<String> = last.values().map(|file| file.sha256.to_string()).collect();
    let bodies = last.values().map(|file| rows::file(file));
    let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
    let sql = "INSERT INTO projects SELECT DISTINCT unnest($1) ON CONFLICT (project) DO NOTHING";
    run(transaction, sql, &[(&projects, Type::TEXT_ARRAY)])?;
    // Taken when they were queued; here for files that a recovery found published.
    let sql = "INSERT INTO names SELECT * FROM unnest($1, $2) AS new (filename, sha256)
               ORDER BY filename ON CONFLICT (filename) DO NOTHING";
    let params: [Param<'_>; 2] = [(&names, Type::TEXT_ARRAY), (&digests, Type::TEXT_ARRAY)];
    run(transaction, sql, &params)?;
    let sql = "INSERT INTO files SELECT * FROM unnest($1, $2, $3)
               ON CONFLICT (project, filename) DO UPDATE SET body = excluded.body";
    let params: [Param<'_>; 3] = [
        (&projects, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&bodies, Type::TEXT_ARRAY),
    ];
    run(transaction, sql, &params).map(drop)
}
