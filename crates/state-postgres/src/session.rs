//! One connection, made again when it breaks, and what becomes of the transaction that was under way.
//!
//! Before its commit is sent, a transaction that breaks has not happened and is run again. When the answer
//! to the commit is lost nobody knows: every transaction leaves a mark, a row of its own in `marks`, and
//! afterwards the same mark is written again. That waits for the transaction if the server is still at
//! work on it, and then says which it was: committed, if the mark is there, or never, if it was not.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use policy::StateLimits;
use postgres::error::SqlState;
use postgres::types::{ToSql, Type};
use postgres::{Client, GenericClient, Row, Transaction};
use repository::RepositoryError;
use repository::rows::Mark;
use ring::rand::{SecureRandom, SystemRandom};

use crate::address::Address;
use crate::carry::MOVED_CODE;
use crate::schema;

/// First and longest pause between two tries to connect.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// A parameter with its type, so that a statement takes one round trip.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Why work in a transaction failed.
pub(crate) enum Fault {
    /// The database said so, or the connection broke.
    Database(postgres::Error),
    /// What it holds, or who asks, does not allow it.
    Other(RepositoryError),
}

impl From<postgres::Error> for Fault {
    fn from(error: postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<RepositoryError> for Fault {
    fn from(error: RepositoryError) -> Self {
        Self::Other(error)
    }
}

pub(crate) fn failed(doing: &'static str) -> impl FnOnce(postgres::Error) -> RepositoryError {
    move |source| {
        moved(&source).unwrap_or_else(|| RepositoryError::State {
            doing,
            source: source.into(),
        })
    }
}

/// What a write to a state that was moved fails with, if it is that.
fn moved(error: &postgres::Error) -> Option<RepositoryError> {
    let said = error.as_db_error()?;
    let is_moved = said.code().code() == MOVED_CODE;
    let mark = is_moved.then(|| Mark::decode(said.message()).ok())?;
    Some(mark?.moved())
}

/// A database and the one connection to it.
pub(crate) struct Session {
    address: Address,
    pub(crate) limits: StateLimits,
    client: Mutex<Option<Client>>,
}

/// How an attempt at a transaction ended without an answer that counts.
enum Broken<T> {
    /// It did not happen.
    Before(Fault),
    /// The commit was sent: it happened, with this result, or did not.
    Unknown(T, postgres::Error),
}

impl Session {
    pub(crate) fn new(address: Address, limits: StateLimits) -> Self {
        Self {
            address,
            limits,
            client: Mutex::new(None),
        }
    }

    /// The same database by a connection of its own.
    pub(crate) fn beside(&self) -> Self {
        Self::new(self.address.clone(), self.limits)
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Runs reads, again if the connection breaks.
    pub(crate) fn read<T>(
        &self,
        doing: &'static str,
        work: impl Fn(&mut Client) -> Result<T, Fault>,
    ) -> Result<T, RepositoryError> {
        let patience = Patience::new(&self.limits);
        loop {
            let done = self.with_client(doing, &patience, &work)?;
            match done {
                Ok(done) => return Ok(done),
                Err(fault) => patience.again(doing, fault)?,
            }
        }
    }

    /// Runs a transaction. `work` may run more than once, but what it did counts once.
    pub(crate) fn transact<T>(
        &self,
        doing: &'static str,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, RepositoryError> {
        let patience = Patience::new(&self.limits);
        loop {
            let mark = new_mark()?;
            let done =
                self.with_client(doing, &patience, |client| attempt(client, &mark, &work))?;
            match done {
                Ok(done) => return Ok(done),
                Err(Broken::Before(fault)) => patience.again(doing, fault)?,
                Err(Broken::Unknown(done, error)) => {
                    tracing::warn!(doing, %error, "the answer to a commit was lost; looking it up");
                    if self.was_committed(doing, &mark)? {
                        return Ok(done);
                    }
                    patience.again(doing, Fault::Database(error))?;
                }
            }
        }
    }

    /// Whether the transaction that left this mark happened; afterwards it cannot happen any more.
    fn was_committed(&self, doing: &'static str, mark: &[u8; 16]) -> Result<bool, RepositoryError> {
        self.read(doing, |client| {
            let written = client.execute_typed(MARK, &[(&&mark[..], Type::BYTEA)])?;
            Ok(written == 0)
        })
    }

    fn with_client<T>(
        &self,
        doing: &'static str,
        patience: &Patience,
        work: impl FnOnce(&mut Client) -> T,
    ) -> Result<T, RepositoryError> {
        let mut slot = self.slot();
        if slot.as_ref().is_none_or(Client::is_closed) {
            *slot = None;
            *slot = Some(self.connect(doing, patience)?);
        }
        match slot.as_mut() {
            Some(client) => Ok(work(client)),
            // It was filled a line above.
            None => Err(repository::rows::damaged("a connection")),
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Client>> {
        // A panic elsewhere leaves a connection that is good or closed, never one half way.
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, doing: &'static str, patience: &Patience) -> Result<Client, RepositoryError> {
        loop {
            let connected = self.address.connect(&self.limits).and_then(|mut client| {
                client.batch_execute(&schema::session(&self.limits))?;
                Ok(client)
            });
            match connected {
                Ok(client) => return Ok(client),
                Err(error) => patience.again(doing, Fault::Database(error))?,
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let slot = self.client.get_mut();
        let client = slot.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(client) = client {
            // It takes leave of its server, and waits for that by a runtime of its own: not on a thread that
            // drives one already, as where an intake stops.
            let ended = thread::Builder::new().spawn(move || drop(client));
            let _ = ended.map(thread::JoinHandle::join);
        }
    }
}

/// Writes a mark, unless it is there.
const MARK: &str = "INSERT INTO marks (mark) VALUES ($1) ON CONFLICT (mark) DO NOTHING";

fn new_mark() -> Result<[u8; 16], RepositoryError> {
    let mut mark = [0; 16];
    SystemRandom::new()
        .fill(&mut mark)
        .map_err(|_| RepositoryError::State {
            doing: "drawing a random number",
            source: "the system has none".into(),
        })?;
    Ok(mark)
}

fn attempt<T>(
    client: &mut Client,
    mark: &[u8; 16],
    work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
) -> Result<T, Broken<T>> {
    let before = |error: postgres::Error| Broken::Before(error.into());
    let mut transaction = client.transaction().map_err(before)?;
    let done = work(&mut transaction).map_err(Broken::Before)?;
    transaction
        .execute_typed(MARK, &[(&&mark[..], Type::BYTEA)])
        .map_err(before)?;
    match transaction.commit() {
        Ok(()) => Ok(done),
        Err(error) => Err(Broken::Unknown(done, error)),
    }
}

/// How long broken connections are tried again.
struct Patience {
    until: Instant,
    pause: std::cell::Cell<Duration>,
}

impl Patience {
    fn new(limits: &StateLimits) -> Self {
        Self {
            until: Instant::now() + limits.reconnect_for,
            pause: std::cell::Cell::new(PAUSES[0]),
        }
    }

    /// Returns, after a pause, if trying again can help.
    fn again(&self, doing: &'static str, fault: Fault) -> Result<(), RepositoryError> {
        let error = match fault {
            Fault::Database(error) => error,
            Fault::Other(error) => return Err(error),
        };
        if !may_pass(&error) || Instant::now() >= self.until {
            return Err(failed(doing)(error));
        }
        tracing::debug!(doing, %error, "trying the database again");
        thread::sleep(self.pause.get());
        self.pause.set((self.pause.get() * 2).min(PAUSES[1]));
        Ok(())
    }
}

/// Whether an error can go away by itself: a broken connection, a server that starts, stops or gave its
/// place to another, two transactions in each other's way.
fn may_pass(error: &postgres::Error) -> bool {
    let Some(code) = error.code() else {
        // Not said by the server. What cannot be connected to for good, for want of a certificate for
        // example, is tried for as long as a broken connection.
        return error.is_closed() || is_of_the_system(error);
    };
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ]
    .contains(code)
        || code.code().starts_with("08")
}

/// Whether an error comes from the system: a connection that was refused, reset or is too slow.
fn is_of_the_system(error: &postgres::Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if cause.is::<std::io::Error>() {
            return true;
        }
        next = cause.source();
    }
    false
}

/// The rows a query finds.
pub(crate) fn rows(
    client: &mut impl GenericClient,
    sql: &str,
    params: &[Param<'_>],
) -> Result<Vec<Row>, Fault> {
    Ok(client.query_typed(sql, params)?)
}

/// The one row a query finds, if it finds one.
pub(crate) fn row(
    client: &mut impl GenericClient,
    sql: &str,
    params: &[Param<'_>],
) -> Result<Option<Row>, Fault> {
    Ok(client.query_typed_opt(sql, params)?)
}

/// Runs a statement; says how many rows it changed.
pub(crate) fn run(
    client: &mut impl GenericClient,
    sql: &str,
    params: &[Param<'_>],
) -> Result<u64, Fault> {
    Ok(client.execute_typed(sql, params)?)
}

/// One number.
pub(crate) fn number(
    client: &mut impl GenericClient,
    sql: &str,
    params: &[Param<'_>],
) -> Result<i64, Fault> {
    Ok(client.query_typed_one(sql, params)?.try_get(0)?)
}
