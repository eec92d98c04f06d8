//! Everything that is written to the database, one transaction each.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use index::ProjectName;
use metadata::{Role, Version};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::change::{Change, ChangeId, Outcome};
use crate::claim_record::ClaimRecord;
use crate::error::RepositoryError;
use crate::offline_set::OfflineFile;
use crate::record::{FileRecord, Phase, Source, Staged};
use crate::rows::{self, signed};
use crate::sqlite::{answers, claims, failed, history, rebin};

/// Runs `work` in a transaction that takes the write lock at once.
pub(super) fn transact<T>(
    db: &mut Connection,
    doing: &'static str,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, RepositoryError>,
) -> Result<T, RepositoryError> {
    let transaction = db
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed(doing))?;
    let done = work(&transaction)?;
    transaction.commit().map_err(failed(doing))?;
    Ok(done)
}

pub(super) fn enqueue(
    db: &mut Connection,
    changes: &[Change],
    now: DateTime<Utc>,
) -> Result<Vec<ChangeId>, RepositoryError> {
    transact(db, QUEUEING, |db| {
        let queued = changes.iter().map(|change| queue(db, change, now));
        queued.collect()
    })
}

const QUEUEING: &str = "queueing changes";

/// Queues one change: takes the names and the request that it needs.
pub(super) fn queue(
    db: &Connection,
    change: &Change,
    now: DateTime<Utc>,
) -> Result<ChangeId, RepositoryError> {
    let run = |sql: &str, row: &[&dyn rusqlite::ToSql]| {
        db.prepare_cached(sql)
            .and_then(|mut statement| statement.execute(row))
            .map_err(failed(QUEUEING))
    };
    for file in change.files() {
        let name = params![file.filename.as_str(), file.sha256.to_string()];
        run("INSERT OR IGNORE INTO names VALUES (?1, ?2)", name)?;
        check_name(db, file)?;
    }
    if let Change::Claim(granted) = change {
        claims::use_up(db, granted)?;
    }
    let body = rows::change(change)?;
    run(
        "INSERT INTO changes (accepted, body, project) VALUES (?1, ?2, ?3)",
        params![now.timestamp(), body, change.project().as_str()],
    )?;
    Ok(ChangeId(db.last_insert_rowid()))
}

/// A name stands for the bytes it was first taken for, whoever asked at the same moment (reference
/// F7).
fn check_name(db: &Connection, file: &FileRecord) -> Result<(), RepositoryError> {
    let taken: String = db
        .query_row(
            "SELECT sha256 FROM names WHERE filename = ?1",
            [file.filename.as_str()],
            |row| row.get(0),
        )
        .map_err(failed("checking a file name"))?;
    if taken == file.sha256.to_string() {
        return Ok(());
    }
    Err(RepositoryError::NameTaken {
        filename: file.filename.to_string(),
        published: taken,
    })
}

pub(super) fn enqueue_set(
    db: &mut Connection,
    files: &[OfflineFile],
    changes: &[Change],
    now: DateTime<Utc>,
) -> Result<i64, RepositoryError> {
    const DOING: &str = "keeping a set";
    transact(db, DOING, |db| {
        db.execute(
            "INSERT INTO sets (received, state) VALUES (?1, 'waiting')",
            [now.timestamp()],
        )
        .map_err(failed(DOING))?;
        let id = db.last_insert_rowid();
        for file in files {
            let row = params![id, file.role.name(), signed(file.version.get()), file.bytes];
            db.execute("INSERT INTO set_files VALUES (?1, ?2, ?3, ?4)", row)
                .map_err(failed(DOING))?;
        }
        for change in changes {
            queue(db, change, now)?;
        }
        Ok(id)
    })
}

pub(super) fn stage(db: &mut Connection, staged: &Staged) -> Result<(), RepositoryError> {
    const DOING: &str = "journalling a cycle";
    transact(db, DOING, |db| {
        for record in &staged.roles {
            allocate(db, &record.role, record.version).map_err(failed(DOING))?;
        }
        let row = params![
            signed(staged.base),
            staged.signed.timestamp(),
            rows::staged(staged)?
        ];
        db.execute("INSERT INTO staged VALUES (1, ?1, ?2, ?3)", row)
            .map_err(failed(DOING))?;
        let mut insert = db
            .prepare(
                "INSERT INTO staged_objects (phase, path, kind, bytes) VALUES (?1, ?2, ?3, ?4)",
            )
            .map_err(failed(DOING))?;
        for object in &staged.objects {
            let (phase, path, kind, bytes) = rows::object(object);
            insert
                .execute(params![phase, path, kind, bytes])
                .map_err(failed(DOING))?;
        }
        Ok(())
    })
}

pub(super) fn give_up(
    db: &mut Connection,
    versions: &BTreeMap<Role, Version>,
    until: Option<DateTime<Utc>>,
) -> Result<(), RepositoryError> {
    const DOING: &str = "giving versions up";
    transact(db, DOING, |db| {
        for (role, version) in versions {
            allocate(db, role, *version).map_err(failed(DOING))?;
        }
        let until = until.map(|until| until.timestamp());
        let sql = "UPDATE unrecorded SET until = max(coalesce(until, ?1), ?1) WHERE ?1 NOTNULL";
        db.execute(sql, [until]).map(drop).map_err(failed(DOING))
    })
}

fn allocate(db: &Transaction<'_>, role: &Role, version: Version) -> rusqlite::Result<usize> {
    db.execute(
        "INSERT INTO allocated VALUES (?1, ?2)
         ON CONFLICT (role) DO UPDATE SET version = max(version, excluded.version)",
        params![role.name(), signed(version.get())],
    )
}

pub(super) fn move_head(db: &mut Connection, staged: &Staged) -> Result<(), RepositoryError> {
    const DOING: &str = "moving the head";
    transact(db, DOING, |db| {
        let timestamp = staged
            .objects
            .iter()
            .find_map(|object| match &object.source {
                Source::Bytes(bytes) if object.phase == Phase::Timestamp => Some(bytes),
                _ => None,
            });
        let moved = db
            .execute(
                "UPDATE head SET generation = generation + 1, signed = ?2,
                     timestamp = coalesce(?3, timestamp) WHERE generation = ?1",
                params![signed(staged.base), staged.signed.timestamp(), timestamp],
            )
            .map_err(failed(DOING))?;
        if moved != 1 {
            let found: i64 = db
                .query_row("SELECT generation FROM head", [], |row| row.get(0))
                .map_err(failed(DOING))?;
            let found = u64::try_from(found).unwrap_or(u64::MAX);
            return Err(RepositoryError::HeadMoved {
                expected: staged.base,
                found,
            });
        }
        if let Some(layout) = staged.layout {
            rebin::spread(db, layout)?;
        }
        history::supersede(db, staged)?;
        answers::remember(db, staged)?;
        apply_rows(db, staged)
    })
}

/// The rows of a cycle, in the same transaction that moves the head.
fn apply_rows(db: &Transaction<'_>, staged: &Staged) -> Result<(), RepositoryError> {
    const DOING: &str = "recording a publication";
    let run = |sql: &str, row: &[&dyn rusqlite::ToSql]| {
        db.prepare_cached(sql)
            .and_then(|mut statement| statement.execute(row))
            .map_err(failed(DOING))
    };
    for role in &staged.dropped {
        run("DELETE FROM roles WHERE role = ?1", params![role.name()])?;
    }
    for record in &staged.roles {
        run(
            "INSERT OR REPLACE INTO roles VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                record.role.name(),
                signed(record.version.get()),
                record.sha256.to_string(),
                signed(record.length),
                record.expires.timestamp(),
                rows::listing(record.listing)?
            ],
        )?;
    }
    for file in &staged.files {
        let body = rows::file(file)?;
        let project = file.project().as_str();
        run(
            "INSERT OR IGNORE INTO projects VALUES (?1)",
            params![project],
        )?;
        // Taken when it was queued; here for files that a recovery found published.
        let name = params![file.filename.as_str(), file.sha256.to_string()];
        run("INSERT OR IGNORE INTO names VALUES (?1, ?2)", name)?;
        let row = params![project, file.filename.as_str(), body];
        run("INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3)", row)?;
    }
    for name in &staged.gone {
        let row = params![name.project().as_str(), name.as_str()];
        run(
            "DELETE FROM files WHERE project = ?1 AND filename = ?2",
            row,
        )?;
    }
    for target in &staged.targets {
        let (bin, path) = (target.bin, target.path.as_str());
        match &target.file {
            Some((length, sha256)) => {
                let row = params![bin, path, signed(*length), sha256.as_bytes()];
                run(
                    "INSERT OR REPLACE INTO targets VALUES (?1, ?2, ?3, ?4)",
                    row,
                )?
            }
            None => run(
                "DELETE FROM targets WHERE bin = ?1 AND path = ?2",
                params![bin, path],
            )?,
        };
    }
    claims::apply(db, staged)?;
    if let Some(recovered) = staged.recovered {
        let (name, value) = rows::recovered_setting(recovered);
        let row = params![name, value];
        run("INSERT OR REPLACE INTO settings VALUES (?1, ?2)", row)?;
    }
    record_outcomes(db, &staged.outcomes)?;
    for id in &staged.sets {
        run(
            "UPDATE sets SET state = 'published' WHERE id = ?1",
            params![id],
        )?;
    }
    Ok(())
}

pub(super) fn settle(
    db: &mut Connection,
    outcomes: &[(ChangeId, Outcome)],
    registered: &[(ProjectName, Option<ClaimRecord>)],
) -> Result<(), RepositoryError> {
    transact(db, "answering changes", |db| {
        claims::write(db, registered)?;
        record_outcomes(db, outcomes)
    })
}

fn record_outcomes(
    db: &Transaction<'_>,
    outcomes: &[(ChangeId, Outcome)],
) -> Result<(), RepositoryError> {
    const DOING: &str = "answering changes";
    for (id, outcome) in outcomes {
        let row = params![id.0, rows::outcome(outcome)?];
        db.execute("UPDATE changes SET outcome = ?2 WHERE id = ?1", row)
            .map_err(failed(DOING))?;
    }
    Ok(())
}

pub(super) fn clear_staged(db: &mut Connection) -> Result<(), RepositoryError> {
    const DOING: &str = "forgetting journalled work";
    transact(db, DOING, |db| {
        db.execute_batch("DELETE FROM staged; DELETE FROM staged_objects")
            .map_err(failed(DOING))
    })
}
