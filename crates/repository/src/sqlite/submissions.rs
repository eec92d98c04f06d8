//! Requests taken in over HTTP, and the answers they get for ever.

use chrono::{DateTime, Utc};
use metadata::Sha256;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::RepositoryError;
use crate::rows;
use crate::sqlite::failed;
use crate::sqlite::journal::{queue, transact};
use crate::submission::{DecidedSubmission, Entry, Queueing, SubmissionId, SubmissionRecord};

const QUEUEING: &str = "queueing submissions";

pub(super) fn submit(
    db: &mut Connection,
    submissions: &[DecidedSubmission],
    now: DateTime<Utc>,
) -> Result<Vec<Queueing>, RepositoryError> {
    transact(db, QUEUEING, |db| {
        let queued = submissions.iter().map(|one| submit_one(db, one, now));
        queued.collect()
    })
}

/// Queues one, or nothing of it.
fn submit_one(
    db: &Connection,
    submission: &DecidedSubmission,
    now: DateTime<Utc>,
) -> Result<Queueing, RepositoryError> {
    let sender = &submission.sender;
    if let Some(key) = &sender.key
        && let Some((digest, record)) = under(db, &sender.name, &key.key)?
    {
        return Ok(Queueing::Known(digest, record));
    }
    // One without several changes fails before it has written anything that would have to go.
    db.execute_batch("SAVEPOINT submission")
        .map_err(failed(QUEUEING))?;
    let queued = insert(db, submission, now);
    let end = match &queued {
        Ok(_) => "RELEASE submission",
        Err(_) => "ROLLBACK TO submission; RELEASE submission",
    };
    db.execute_batch(end).map_err(failed(QUEUEING))?;
    match queued {
        Ok(record) => Ok(Queueing::New(record)),
        Err(lost @ (RepositoryError::NameTaken { .. } | RepositoryError::ClaimUsed { .. })) => {
            Ok(Queueing::Lost(lost))
        }
        Err(error) => Err(error),
    }
}

fn insert(
    db: &Connection,
    submission: &DecidedSubmission,
    now: DateTime<Utc>,
) -> Result<SubmissionRecord, RepositoryError> {
    let mut entries = Vec::with_capacity(submission.entries.len());
    for (entry, change) in &submission.entries {
        let change = match change {
            Some(change) => Some(queue(db, change, now)?),
            None => entry.change,
        };
        entries.push(Entry {
            change,
            ..entry.clone()
        });
    }
    let key = submission.sender.key.as_ref();
    let row = params![
        now.timestamp(),
        submission.sender.name,
        key.map(|key| key.key.as_str()),
        key.map(|key| key.digest.to_string()),
        rows::entries(&entries)?
    ];
    db.prepare_cached(
        "INSERT INTO submissions (accepted, sender, key, digest, body)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut statement| statement.execute(row))
    .map_err(failed(QUEUEING))?;
    Ok(SubmissionRecord {
        id: SubmissionId(db.last_insert_rowid()),
        sender: submission.sender.name.clone(),
        accepted: rows::to_time(now.timestamp(), "a submission")?,
        entries,
    })
}

pub(super) fn submission(
    db: &Connection,
    id: SubmissionId,
) -> Result<Option<SubmissionRecord>, RepositoryError> {
    let sql = "SELECT accepted, sender, body FROM submissions WHERE id = ?1";
    let row: Option<(i64, String, String)> = db
        .prepare_cached(sql)
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            statement.query_row([id.0], read).optional()
        })
        .map_err(failed("reading a submission"))?;
    row.map(|(accepted, sender, body)| rows::read_submission(id, accepted, sender, &body))
        .transpose()
}

pub(super) fn under(
    db: &Connection,
    sender: &str,
    key: &str,
) -> Result<Option<(Sha256, SubmissionRecord)>, RepositoryError> {
    type Row = (i64, i64, String, String);
    let sql = "SELECT id, accepted, digest, body FROM submissions WHERE sender = ?1 AND key = ?2";
    let row: Option<Row> = db
        .prepare_cached(sql)
        .and_then(|mut statement| {
            let read =
                |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            statement.query_row([sender, key], read).optional()
        })
        .map_err(failed("looking up an idempotency key"))?;
    row.map(|(id, accepted, digest, body)| {
        let digest = Sha256::parse(&digest).map_err(|_| rows::damaged("a submission"))?;
        let record = rows::read_submission(SubmissionId(id), accepted, sender.to_owned(), &body)?;
        Ok((digest, record))
    })
    .transpose()
}
