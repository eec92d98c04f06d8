//! One signer by lease: who has it is the writer, and its number tells a writer of before from one of now.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use postgres::types::Type;
use postgres::{GenericClient, Transaction};
use repository::{HeldLock, RepositoryError, WriterLock};

use crate::session::{Fault, Session, row, run};

/// How much of a lease passes before it is renewed: two renewals may fail.
const RENEWALS: u32 = 3;

/// How long the mark of a transaction is kept: far longer than anybody looks for it.
const MARKS: &str = "1 hour";

/// The lease of the number that a state's transactions ask for.
pub(crate) type Number = Arc<Mutex<Option<i64>>>;

/// Makes the writer one among all machines that use the database.
pub struct Lease {
    session: Arc<Session>,
    number: Number,
    holder: String,
}

impl Lease {
    pub(crate) fn new(session: Arc<Session>, number: Number) -> Self {
        let system = rustix::system::uname();
        let host = system.nodename().to_string_lossy().into_owned();
        Self {
            session,
            number,
            holder: format!("process {} on {host}", std::process::id()),
        }
    }
}

impl WriterLock for Lease {
    fn acquire(&self) -> Result<Box<dyn HeldLock>, RepositoryError> {
        let number = self.session.transact("taking the lease", |transaction| {
            take(transaction, &self.holder, self.session.limits.lease)
        })?;
        set(&self.number, Some(number));
        let renewal = Renewal::start(self.session.beside(), number)?;
        Ok(Box::new(Held {
            session: Arc::clone(&self.session),
            number: Arc::clone(&self.number),
            taken: number,
            renewal: Some(renewal),
        }))
    }
}

fn set(number: &Number, to: Option<i64>) {
    *number.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

/// Takes the lease if it is free or has run out; old marks go on the way.
fn take(transaction: &mut Transaction<'_>, holder: &str, life: Duration) -> Result<i64, Fault> {
    // A writer that sleeps in the middle of a transaction holds the row until the server ends it: do not
    // wait for that.
    run(transaction, "SET LOCAL lock_timeout = '2s'", &[])?;
    let seconds = life.as_secs_f64();
    let sql = "UPDATE lease SET number = number + 1, holder = $1,
                   until = clock_timestamp() + make_interval(secs => $2)
               WHERE until IS NULL OR until < clock_timestamp() RETURNING number";
    let taken = row(
        transaction,
        sql,
        &[(&holder, Type::TEXT), (&seconds, Type::FLOAT8)],
    );
    let taken = match taken {
        Err(Fault::Database(error)) if is_lock_timeout(&error) => {
            return Err(Fault::Other(RepositoryError::Leased {
                holder: "a writer in the middle of a transaction".to_owned(),
                until: Utc::now(),
            }));
        }
        taken => taken?,
    };
    let Some(taken) = taken else {
        let (holder, until) = holder_of(transaction)?;
        return Err(Fault::Other(RepositoryError::Leased { holder, until }));
    };
    let sql = format!("DELETE FROM marks WHERE made < clock_timestamp() - interval '{MARKS}'");
    run(transaction, &sql, &[])?;
    Ok(taken.try_get(0)?)
}

fn is_lock_timeout(error: &postgres::Error) -> bool {
    error.code() == Some(&postgres::error::SqlState::LOCK_NOT_AVAILABLE)
}

/// Who has the lease, or had it last, with its number, and until when.
fn holder_of(client: &mut impl GenericClient) -> Result<(String, DateTime<Utc>), Fault> {
    let sql =
        "SELECT number, coalesce(holder, 'nobody'), coalesce(until, clock_timestamp()) FROM lease";
    let found = client.query_typed_one(sql, &[])?;
    let (number, holder): (i64, String) = (found.try_get(0)?, found.try_get(1)?);
    let until: SystemTime = found.try_get(2)?;
    Ok((format!("{holder} (lease {number})"), until.into()))
}

/// Refuses to go on if the lease went to another. In a transaction that writes, `and_hold` keeps anybody
/// from taking it until the transaction has ended.
pub(crate) fn check(
    client: &mut impl GenericClient,
    number: &Number,
    and_hold: bool,
) -> Result<(), Fault> {
    let ours = *number.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(ours) = ours else {
        return Err(Fault::Other(RepositoryError::NotTheWriter));
    };
    let sql = if and_hold {
        "SELECT number FROM lease FOR SHARE"
    } else {
        "SELECT number FROM lease"
    };
    let found: i64 = client.query_typed_one(sql, &[])?.try_get(0)?;
    if found == ours {
        return Ok(());
    }
    let (holder, _) = holder_of(client)?;
    Err(Fault::Other(RepositoryError::LeaseLost {
        number: ours,
        holder,
    }))
}

/// A lease held.
struct Held {
    session: Arc<Session>,
    number: Number,
    taken: i64,
    renewal: Option<Renewal>,
}

impl HeldLock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.renewal.take());
        set(&self.number, None);
        let given_back = self.session.read("giving the lease back", |client| {
            let sql = "UPDATE lease SET until = NULL WHERE number = $1";
            run(client, sql, &[(&self.taken, Type::INT8)])
        });
        if let Err(error) = given_back {
            // It runs out by itself.
            tracing::warn!(%error, "the lease could not be given back");
        }
    }
}

/// Renews a lease in the background, by a connection of its own that is made when it is first needed.
struct Renewal {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Renewal {
    fn start(session: Session, number: i64) -> Result<Self, RepositoryError> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let seen = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("lease".to_owned())
            .spawn(move || keep(&session, number, &seen))
            .map_err(|source| RepositoryError::State {
                doing: "starting to renew the lease",
                source: source.into(),
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        let (stopped, wake) = &*self.stop;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say: what it could not renew, the next transaction finds out.
            let _ = thread.join();
        }
    }
}

/// Renews until told to stop, or until there is nothing to renew.
fn keep(session: &Session, number: i64, (stopped, wake): &(Mutex<bool>, Condvar)) {
    let life = session.limits.lease;
    let mut guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        // Told before it came here, or while it waits: no lease is held longer than its work.
        let waited = wake.wait_timeout_while(guard, life / RENEWALS, |is_over| !*is_over);
        guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        if *guard {
            return;
        }
        drop(guard);
        match renew(session, number, life) {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(number, "the lease went to another writer");
                return;
            }
            Err(error) => tracing::warn!(%error, number, "the lease could not be renewed"),
        }
        guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
    }
}

fn renew(session: &Session, number: i64, life: Duration) -> Result<bool, RepositoryError> {
    session.read("renewing the lease", |client| {
        let sql = "UPDATE lease SET until = clock_timestamp() + make_interval(secs => $2)
                   WHERE number = $1 AND until IS NOT NULL";
        let seconds = life.as_secs_f64();
        let params = [
            (&number as &(dyn postgres::types::ToSql + Sync), Type::INT8),
            (&seconds, Type::FLOAT8),
        ];
        Ok(run(client, sql, &params)? == 1)
    })
}
