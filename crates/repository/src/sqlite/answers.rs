//! What became of changes, and the record of the last publications.

use metadata::Version;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::change::{ChangeId, Outcome};
use crate::error::RepositoryError;
use crate::record::{Publication, Staged};
use crate::rows::{self, damaged, signed, to_time};
use crate::sqlite::failed;

pub(super) fn answers(
    db: &Connection,
    ids: &[ChangeId],
) -> Result<(Vec<(ChangeId, Outcome)>, bool), RepositoryError> {
    const DOING: &str = "reading what became of changes";
    let mut answers = Vec::new();
    let mut query = db
        .prepare_cached("SELECT outcome FROM changes WHERE id = ?1")
        .map_err(failed(DOING))?;
    for id in ids {
        let body: Option<Option<String>> = query
            .query_row([id.0], |row| row.get(0))
            .optional()
            .map_err(failed(DOING))?;
        let body = body.ok_or_else(|| damaged("a change"))?;
        if let Some(body) = body {
            let outcome = rows::read_outcome(&body)?;
            answers.push((*id, outcome));
        }
    }
    let unfinished: bool = db
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM staged, head WHERE base < generation)",
            [],
            |row| row.get(0),
        )
        .map_err(failed(DOING))?;
    Ok((answers, unfinished))
}

/// Notes a publication, in the transaction that moves the head to it.
pub(super) fn remember(db: &Transaction<'_>, staged: &Staged) -> Result<(), RepositoryError> {
    let record = rows::publication(staged);
    let version = |version: Option<Version>| version.map(|version| signed(version.get()));
    db.execute(
        "INSERT OR REPLACE INTO publications VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            signed(record.generation),
            record.signed.timestamp(),
            version(record.timestamp),
            version(record.snapshot),
            signed(record.bins),
            signed(record.changes)
        ],
    )
    .and_then(|_| {
        db.execute(
            "DELETE FROM publications WHERE generation <= ?1",
            [signed(
                record.generation.saturating_sub(Publication::REMEMBERED),
            )],
        )
    })
    .map(drop)
    .map_err(failed("recording a publication"))
}

pub(super) fn publications(
    db: &Connection,
    limit: u64,
) -> Result<Vec<Publication>, RepositoryError> {
    type Row = (i64, i64, Option<i64>, Option<i64>, i64, i64);
    let read = || -> rusqlite::Result<Vec<Row>> {
        let mut query = db.prepare_cached(
            "SELECT generation, signed, timestamp, snapshot, bins, changes
             FROM publications ORDER BY generation DESC LIMIT ?1",
        )?;
        let rows = query.query_map([signed(limit)], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })?;
        rows.collect()
    };
    let what = "a publication";
    let number = |value: i64| rows::unsigned(value, what);
    let version = |value: Option<i64>| value.map(|value| rows::version(value, what)).transpose();
    let found = read().map_err(failed("reading the last publications"))?;
    found
        .into_iter()
        .map(|(generation, time, timestamp, snapshot, bins, changes)| {
            Ok(Publication {
                generation: number(generation)?,
                signed: to_time(time, what)?,
                timestamp: version(timestamp)?,
                snapshot: version(snapshot)?,
                bins: number(bins)?,
                changes: number(changes)?,
            })
        })
        .collect()
}
