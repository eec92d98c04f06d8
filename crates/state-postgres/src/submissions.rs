//! Requests taken in over HTTP, and the answers they get for ever.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use metadata::Sha256;
use postgres::types::Type;
use postgres::{Row, Transaction};
use repository::rows::{self, damaged};
use repository::{
    Change, ChangeId, DecidedSubmission, Entry, Queueing, RepositoryError, SubmissionId,
    SubmissionRecord,
};

use crate::journal;
use crate::session::{Fault, Param, Session, row, rows as query};

/// A submission found by its key: digest of the request, and what it came to.
type Known = (Sha256, SubmissionRecord);

const UNDER: &str = "SELECT id, accepted, sender, body, digest, key
    FROM submissions JOIN unnest($1, $2) AS asked (sender, key) USING (sender, key)";

/// Queues submissions in order, each whole or not at all: all at once, in a number of statements that does
/// not grow with them, or, where two want the same, one after the other.
pub(crate) fn submit(
    transaction: &mut Transaction<'_>,
    submissions: &[DecidedSubmission],
    now: DateTime<Utc>,
) -> Result<Vec<Queueing>, Fault> {
    let all: Vec<&DecidedSubmission> = submissions.iter().collect();
    if let Some(queued) = try_to_queue(transaction, &all, now)? {
        return Ok(queued);
    }
    let mut queued = Vec::with_capacity(all.len());
    for one in &all {
        let done = try_to_queue(transaction, &[one], now)?;
        queued.extend(match done {
            Some(done) => done,
            None => vec![why_not(transaction, one, now)?],
        });
    }
    Ok(queued)
}

/// Queues all of these; `None`, and nothing is changed, if any name, request or key is taken.
fn try_to_queue(
    transaction: &mut Transaction<'_>,
    submissions: &[&DecidedSubmission],
    now: DateTime<Utc>,
) -> Result<Option<Vec<Queueing>>, Fault> {
    let known = known(transaction, submissions)?;
    let is_new =
        |one: &&&DecidedSubmission| key_of(one).is_none_or(|key| !known.contains_key(&key));
    let new: Vec<&DecidedSubmission> = submissions.iter().filter(is_new).copied().collect();
    let mut savepoint = transaction.transaction()?;
    let records = match insert(&mut savepoint, &new, now) {
        Ok(Some(records)) => records,
        Ok(None)
        | Err(Fault::Other(
            RepositoryError::NameTaken { .. } | RepositoryError::ClaimUsed { .. },
        )) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    savepoint.commit()?;
    let mut records = records.into_iter();
    let mut queued = Vec::with_capacity(submissions.len());
    for one in submissions {
        let found = key_of(one).and_then(|key| known.get(&key));
        queued.push(match found {
            Some((digest, record)) => Queueing::Known(*digest, record.clone()),
            None => Queueing::New(records.next().ok_or_else(|| damaged("a submission"))?),
        });
    }
    Ok(Some(queued))
}

/// What stands in the way of a submission, asked again by itself.
fn why_not(
    transaction: &mut Transaction<'_>,
    submission: &DecidedSubmission,
    now: DateTime<Utc>,
) -> Result<Queueing, Fault> {
    // Its key may have been used a moment ago.
    if let Some((_, (digest, record))) = known(transaction, &[submission])?.pop_first() {
        return Ok(Queueing::Known(digest, record));
    }
    let mut savepoint = transaction.transaction()?;
    match insert(&mut savepoint, &[submission], now) {
        Err(Fault::Other(lost)) => Ok(Queueing::Lost(lost)),
        Err(fault) => Err(fault),
        Ok(_) => Err(damaged("a submission").into()),
    }
}

fn key_of(submission: &DecidedSubmission) -> Option<(String, String)> {
    let sender = &submission.sender;
    let key = sender.key.as_ref()?;
    Some((sender.name.clone(), key.key.clone()))
}

/// Those that were made before under the keys of these.
fn known(
    transaction: &mut Transaction<'_>,
    submissions: &[&DecidedSubmission],
) -> Result<BTreeMap<(String, String), Known>, Fault> {
    let keys: Vec<_> = submissions.iter().filter_map(|one| key_of(one)).collect();
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (senders, keys): (Vec<String>, Vec<String>) = keys.into_iter().unzip();
    let params: [Param<'_>; 2] = [(&senders, Type::TEXT_ARRAY), (&keys, Type::TEXT_ARRAY)];
    let mut known = BTreeMap::new();
    for row in query(transaction, UNDER, &params)? {
        let found = read_known(&row)?;
        known.insert((found.1.sender.clone(), row.try_get(5)?), found);
    }
    Ok(known)
}

fn read_known(row: &Row) -> Result<Known, Fault> {
    let digest: String = row.try_get(4)?;
    let digest = Sha256::parse(&digest).map_err(|_| damaged("a submission"))?;
    Ok((digest, read(row)?))
}

/// A submission from its first four columns.
fn read(row: &Row) -> Result<SubmissionRecord, Fault> {
    let body: String = row.try_get(3)?;
    let id = SubmissionId(row.try_get(0)?);
    Ok(rows::read_submission(
        id,
        row.try_get(1)?,
        row.try_get(2)?,
        &body,
    )?)
}

/// Queues the changes of all, then keeps what they came to; `None` if a key is taken.
fn insert(
    transaction: &mut Transaction<'_>,
    submissions: &[&DecidedSubmission],
    now: DateTime<Utc>,
) -> Result<Option<Vec<SubmissionRecord>>, Fault> {
    let entries = submissions.iter().flat_map(|one| &one.entries);
    let changes: Vec<&Change> = entries.filter_map(|(_, change)| change.as_ref()).collect();
    let ids = if changes.is_empty() {
        Vec::new()
    } else {
        journal::enqueue(transaction, &changes, now)?
    };
    let mut ids = ids.into_iter();
    let accepted = rows::to_time(now.timestamp(), "a submission")?;
    let mut records = Vec::with_capacity(submissions.len());
    for one in submissions {
        records.push(SubmissionRecord {
            id: SubmissionId(0),
            sender: one.sender.name.clone(),
            accepted,
            entries: numbered(one, &mut ids)?,
        });
    }
    let senders: Vec<&str> = records.iter().map(|one| one.sender.as_str()).collect();
    let keys = submissions.iter().map(|one| one.sender.key.as_ref());
    let digests: Vec<Option<String>> = keys
        .clone()
        .map(|key| key.map(|key| key.digest.to_string()))
        .collect();
    let keys: Vec<Option<&str>> = keys.map(|key| key.map(|key| key.key.as_str())).collect();
    let bodies = records.iter().map(|one| rows::entries(&one.entries));
    let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
    let sql = "INSERT INTO submissions (accepted, sender, key, digest, body)
               SELECT $1, sender, key, digest, body FROM unnest($2, $3, $4, $5)
                   WITH ORDINALITY AS new (sender, key, digest, body, place)
               ORDER BY place ON CONFLICT (sender, key) DO NOTHING RETURNING id";
    let now = now.timestamp();
    let row: [Param<'_>; 5] = [
        (&now, Type::INT8),
        (&senders, Type::TEXT_ARRAY),
        (&keys, Type::TEXT_ARRAY),
        (&digests, Type::TEXT_ARRAY),
        (&bodies, Type::TEXT_ARRAY),
    ];
    let mut given = Vec::with_capacity(records.len());
    for row in query(transaction, sql, &row)? {
        given.push(SubmissionId(row.try_get(0)?));
    }
    if given.len() != records.len() {
        return Ok(None);
    }
    // They are given out in the order of the submissions.
    given.sort();
    for (record, id) in records.iter_mut().zip(given) {
        record.id = id;
    }
    Ok(Some(records))
}

/// The entries of a submission, each with the change queued for it.
fn numbered(
    submission: &DecidedSubmission,
    ids: &mut impl Iterator<Item = ChangeId>,
) -> Result<Vec<Entry>, Fault> {
    let number = |(entry, change): &(Entry, Option<Change>)| {
        let change = match change {
            Some(_) => Some(ids.next().ok_or_else(|| damaged("the journal"))?),
            None => entry.change,
        };
        Ok(Entry {
            change,
            ..entry.clone()
        })
    };
    submission.entries.iter().map(number).collect()
}

pub(crate) fn submission(
    session: &Session,
    id: SubmissionId,
) -> Result<Option<SubmissionRecord>, RepositoryError> {
    session.read("reading a submission", |client| {
        let sql = "SELECT id, accepted, sender, body FROM submissions WHERE id = $1";
        let found = row(client, sql, &[(&id.0, Type::INT8)])?;
        found.as_ref().map(read).transpose()
    })
}

pub(crate) fn under(
    session: &Session,
    sender: &str,
    key: &str,
) -> Result<Option<Known>, RepositoryError> {
    let (senders, keys) = (vec![sender], vec![key]);
    session.read("looking up an idempotency key", |client| {
        let params: [Param<'_>; 2] = [(&senders, Type::TEXT_ARRAY), (&keys, Type::TEXT_ARRAY)];
        let found = row(client, UNDER, &params)?;
        found.as_ref().map(read_known).transpose()
    })
}
