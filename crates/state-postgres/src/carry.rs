//! The state in PostgreSQL left, and reached, by a move.

use std::cell::RefCell;

use policy::StateLimits;
use postgres::types::{ToSql, Type};
use postgres::{Client, Row, Transaction};
use repository::rows::{self, ARRIVED, ARRIVING, Found, MOVED, Mark};
use repository::{
    Arrival, Kind, NUMBERED, ROWS_AT_ONCE, RepositoryError, Rows, Settings, TABLES, Table,
    TakeRows, Value, WithRows,
};

use crate::address::Address;
use crate::schema;
use crate::session::{Fault, Param, Session, failed, number, row, rows as query, run};

const COPYING: &str = "carrying its rows";

/// The code of the error that a write to a state that was moved fails with (SQLSTATE, of no class that
/// PostgreSQL or the standard uses).
pub(crate) const MOVED_CODE: &str = "MOVED";

/// The tables in the order in which everybody locks them.
fn names() -> String {
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    names.join(", ")
}

pub(crate) fn setting(session: &Session, name: &str) -> Result<Option<String>, RepositoryError> {
    session.read("reading a setting", |client| get(client, name))
}

fn get(client: &mut impl postgres::GenericClient, name: &str) -> Result<Option<String>, Fault> {
    let sql = "SELECT value FROM settings WHERE name = $1";
    let found = row(client, sql, &[(&name, Type::TEXT)])?;
    Ok(found.map(|found| found.try_get(0)).transpose()?)
}

pub(crate) fn set(transaction: &mut Transaction<'_>, name: &str, value: &str) -> Result<(), Fault> {
    let sql = "INSERT INTO settings VALUES ($1, $2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let params: [Param<'_>; 2] = [(&name, Type::TEXT), (&value, Type::TEXT)];
    run(transaction, sql, &params).map(drop)
}

pub(crate) fn check_place(session: &Session) -> Result<(), RepositoryError> {
    let sql = format!("SELECT name, value FROM settings WHERE name IN ('{MOVED}', '{ARRIVING}')");
    let found = session.read("asking whether the state was moved", |client| {
        let found = query(client, &sql, &[])?;
        let pair = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        let pairs = found.iter().map(pair);
        Ok(pairs.collect::<Result<Vec<(String, String)>, postgres::Error>>()?)
    })?;
    let mark = |wanted: &str| {
        let found = found.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    rows::check_marks(mark(MOVED), mark(ARRIVING))
}

/// Has `carry` copy all rows while nobody writes. The lease is not locked: it is renewed meanwhile.
pub(crate) fn copy_alone(
    transaction: &mut Transaction<'_>,
    carry: &RefCell<WithRows<'_>>,
) -> Result<(), Fault> {
    transaction.batch_execute(&format!(
        "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
         SET LOCAL lock_timeout = '30s'; LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE",
        names()
    ))?;
    let mut carry = carry.borrow_mut();
    Ok(carry(&mut PostgresRows(transaction))?)
}

/// Marks the state as moved, and has every later write refused.
pub(crate) fn mark_moved(transaction: &mut Transaction<'_>, to: &Mark) -> Result<(), Fault> {
    set(transaction, MOVED, &to.encode()?)?;
    transaction.batch_execute(&format!(
        "CREATE OR REPLACE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             RAISE EXCEPTION USING ERRCODE = '{MOVED_CODE}',
                 MESSAGE = (SELECT value FROM settings WHERE name = '{MOVED}');
         END $$"
    ))?;
    for table in TABLES {
        transaction.batch_execute(&format!(
            "CREATE TRIGGER moved BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {}
             FOR EACH STATEMENT EXECUTE FUNCTION moved()",
            table.name
        ))?;
    }
    Ok(())
}

/// All rows, as a transaction sees them.
struct PostgresRows<'a, 'b>(&'a mut Transaction<'b>);

impl PostgresRows<'_, '_> {
    fn fetch(&mut self, table: &Table, take: TakeRows<'_>) -> Result<(), Fault> {
        let columns = table.columns.iter().map(|(name, kind)| match kind {
            Kind::Number => format!("{name}::bigint"),
            Kind::Text | Kind::Bytes => (*name).to_owned(),
        });
        let columns: Vec<_> = columns.collect();
        self.0.batch_execute(&format!(
            "DECLARE carried NO SCROLL CURSOR FOR SELECT {} FROM {} {} ORDER BY {}",
            columns.join(", "),
            table.name,
            table.condition(),
            table.key
        ))?;
        loop {
            let found = query(self.0, &format!("FETCH {ROWS_AT_ONCE} FROM carried"), &[])?;
            if found.is_empty() {
                break;
            }
            let read = |row: &Row| values(table, row);
            take(found.iter().map(read).collect::<Result<_, _>>()?)?;
        }
        Ok(self.0.batch_execute("CLOSE carried")?)
    }
}

fn values(table: &Table, row: &Row) -> Result<Vec<Value>, postgres::Error> {
    let value = |(at, (_, kind)): (usize, &(&str, Kind))| match kind {
        Kind::Number => row.try_get(at).map(Value::Number),
        Kind::Text => row.try_get(at).map(Value::Text),
        Kind::Bytes => row.try_get(at).map(Value::Bytes),
    };
    table.columns.iter().enumerate().map(value).collect()
}

/// A fault while rows are read or written, as it is said to whoever carries them.
fn said(fault: Fault) -> RepositoryError {
    match fault {
        Fault::Database(error) => failed(COPYING)(error),
        Fault::Other(error) => error,
    }
}

impl Rows for PostgresRows<'_, '_> {
    fn each(&mut self, table: &Table, take: TakeRows<'_>) -> Result<(), RepositoryError> {
        self.fetch(table, take).map_err(said)
    }

    fn last_number(&mut self, table: &str) -> Result<i64, RepositoryError> {
        let sql =
            format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_id_seq");
        number(self.0, &sql, &[]).map_err(said)
    }
}

/// A database that a state is carried to.
pub struct PostgresArrival {
    session: Session,
    settings: Settings,
}

impl PostgresArrival {
    /// At an address; `settings` are those of the state that comes.
    #[must_use]
    pub fn at(address: Address, limits: StateLimits, settings: Settings) -> Self {
        Self {
            session: Session::new(address, limits),
            settings,
        }
    }

    /// Whether the database holds tables that may go: what an earlier move between the two places left.
    fn holds_leavings(&self, client: &mut Client, from: &Mark) -> Result<bool, Fault> {
        match schema::version_in(client)? {
            None => return Ok(false),
            Some(schema::SCHEMA_VERSION) => {}
            Some(_) => return Err(self.holds_another().into()),
        }
        let (moved, arriving) = (get(client, MOVED)?, get(client, ARRIVING)?);
        if rows::are_leavings(moved.as_deref(), arriving.as_deref(), from)? {
            return Ok(true);
        }
        Err(self.holds_another().into())
    }

    fn holds_another(&self) -> RepositoryError {
        RepositoryError::HoldsAnother { place: self.name() }
    }

    fn fill_in(
        &self,
        client: &mut Client,
        from: &Mark,
        is_over_leavings: bool,
        rows: &mut dyn Rows,
    ) -> Result<(), Fault> {
        let mut transaction = client.transaction()?;
        transaction.batch_execute(
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
        )?;
        let mut last_lease = 0;
        if is_over_leavings {
            // A signer may sleep since the time before: its lease must not come again.
            last_lease = number(&mut transaction, "SELECT number FROM lease", &[])?;
            transaction.batch_execute(&format!(
                "DROP TABLE schema_version, lease, marks, {}; DROP FUNCTION IF EXISTS moved()",
                names()
            ))?;
        }
        schema::make(&mut transaction, &self.settings)?;
        run(
            &mut transaction,
            "UPDATE lease SET number = $1",
            &[(&last_lease, Type::INT8)],
        )?;
        for table in TABLES {
            run(
                &mut transaction,
                &format!("DELETE FROM {}", table.name),
                &[],
            )?;
            rows.each(table, &mut |rows| {
                insert(&mut transaction, table, rows).map_err(said)
            })?;
        }
        for table in NUMBERED {
            let last = rows.last_number(table)?;
            if last > 0 {
                let sql = format!("SELECT setval('{table}_id_seq', $1)");
                query(&mut transaction, &sql, &[(&last, Type::INT8)])?;
            }
        }
        set(&mut transaction, ARRIVING, &from.encode()?)?;
        Ok(transaction.commit()?)
    }
}

/// Inserts rows, a column of them at a time.
fn insert(
    transaction: &mut Transaction<'_>,
    table: &Table,
    rows: Vec<Vec<Value>>,
) -> Result<(), Fault> {
    let mut columns: Vec<Column> = table
        .columns
        .iter()
        .map(|(_, kind)| Column::of(*kind))
        .collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let places: Vec<_> = (1..=columns.len())
        .map(|place| format!("${place}"))
        .collect();
    let sql = format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT * FROM unnest({})",
        table.name,
        table.column_list(),
        places.join(", ")
    );
    let params: Vec<Param<'_>> = columns.iter().map(Column::param).collect();
    run(transaction, &sql, &params).map(drop)
}

/// A column of many rows.
enum Column {
    Number(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Column {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number(Vec::new()),
            Kind::Text => Self::Text(Vec::new()),
            Kind::Bytes => Self::Bytes(Vec::new()),
        }
    }

    /// Adds a value. One of another kind than the column's leaves the columns of different lengths, and what
    /// is then inserted is found to differ.
    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Number(column), Value::Number(value)) => column.push(value),
            (Self::Text(column), Value::Text(value)) => column.push(value),
            (Self::Bytes(column), Value::Bytes(value)) => column.push(value),
            _ => {}
        }
    }

    fn param(&self) -> Param<'_> {
        match self {
            Self::Number(column) => (column as &(dyn ToSql + Sync), Type::INT8_ARRAY),
            Self::Text(column) => (column, Type::TEXT_ARRAY),
            Self::Bytes(column) => (column, Type::BYTEA_ARRAY),
        }
    }
}

impl Arrival for PostgresArrival {
    fn name(&self) -> String {
        self.session.address().to_string()
    }

    fn fill(&mut self, from: &Mark, rows: &mut dyn Rows) -> Result<(), RepositoryError> {
        let rows = RefCell::new(rows);
        self.session.read(COPYING, |client| {
            // Asked anew each time: an answer to a commit may have been lost.
            let is_over_leavings = self.holds_leavings(client, from)?;
            self.fill_in(client, from, is_over_leavings, &mut **rows.borrow_mut())
        })
    }

    fn read(&mut self, with: WithRows<'_>) -> Result<(), RepositoryError> {
        let with = RefCell::new(with);
        self.session.read(COPYING, |client| {
            let mut transaction = client.build_transaction().read_only(true).start()?;
            with.borrow_mut()(&mut PostgresRows(&mut transaction))?;
            Ok(transaction.commit()?)
        })
    }

    fn arrive(&mut self, id: &str) -> Result<(), RepositoryError> {
        arrive(&self.session, id)
    }
}

impl PostgresArrival {
    /// Makes the copy of this number the state; nothing happens if it was made one before.
    pub fn arrive_at(address: Address, id: &str) -> Result<(), RepositoryError> {
        arrive(&Session::new(address, StateLimits::default()), id)
    }
}

fn arrive(session: &Session, id: &str) -> Result<(), RepositoryError> {
    schema::check_version(session)?;
    session.transact("taking the state's place", |transaction| {
        let (arriving, arrived) = (get(transaction, ARRIVING)?, get(transaction, ARRIVED)?);
        match rows::found(arriving.as_deref(), arrived.as_deref(), id)? {
            Found::Copy => {
                let sql = "UPDATE settings SET name = $2 WHERE name = $1";
                let params: [Param<'_>; 2] = [(&ARRIVING, Type::TEXT), (&ARRIVED, Type::TEXT)];
                run(transaction, sql, &params).map(drop)
            }
            Found::State => Ok(()),
            Found::Other => {
                let place = session.address().to_string();
                Err(RepositoryError::HoldsAnother { place }.into())
            }
        }
    })
}
