//! What became of changes, and the record of the last publications.

use metadata::Role;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::change::{ChangeId, Outcome};
use crate::error::RepositoryError;
use crate::record::{Publication, Staged};
use crate::sqlite::body::{OutcomeBody, decode, read_version};
use crate::sqlite::{damaged, failed, to_time};
use crate::status::is_bin;

/// How many publications are remembered.
const REMEMBERED: u64 = 100;

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
            let outcome = decode::<OutcomeBody>(&body, "an outcome")?.read()?;
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
    let version = |role: &Role| {
        let record = staged.roles.iter().find(|record| record.role == *role);
        record.map(|record| signed(record.version.get()))
    };
    let bins = staged
        .roles
        .iter()
        .filter(|record| is_bin(&record.role))
        .count();
    let generation = staged.base + 1;
    db.execute(
        "INSERT OR REPLACE INTO publications VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            signed(generation),
            staged.signed.timestamp(),
            version(&Role::Timestamp),
            version(&Role::Snapshot),
            signed(bins as u64),
            signed(staged.outcomes.len() as u64)
        ],
    )
    .and_then(|_| {
        db.execute(
            "DELETE FROM publications WHERE generation <= ?1",
            [signed(generation.saturating_sub(REMEMBERED))],
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
    let number = |value: i64| u64::try_from(value).map_err(|_| damaged(what));
    let version = |value: Option<i64>| value.map(|value| read_version(number(value)?)).transpose();
    let rows = read().map_err(failed("reading the last publications"))?;
    rows.into_iter()
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

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
