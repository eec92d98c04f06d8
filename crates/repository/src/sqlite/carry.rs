//! The state in SQLite left, and reached, by a move.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, params, params_from_iter};

use crate::carry::{
    Arrival, Kind, NUMBERED, ROWS_AT_ONCE, Rows, TABLES, Table, TakeRows, Value, WithRows,
};
use crate::error::RepositoryError;
use crate::record::Settings;
use crate::rows::{self, ARRIVED, ARRIVING, Found, MOVED, Mark, STORES_LEFT};
use crate::sqlite::journal::transact;
use crate::sqlite::{failed, schema};

const COPYING: &str = "carrying its rows";
const LEAVING: &str = "being left";

/// What triggers say before the mark of the move.
const MOVED_TO: &str = "moved: ";

pub(super) fn setting(db: &Connection, name: &str) -> Result<Option<String>, RepositoryError> {
    let sql = "SELECT value FROM settings WHERE name = ?1";
    db.prepare_cached(sql)
        .and_then(|mut query| query.query_row([name], |row| row.get(0)).optional())
        .map_err(failed("reading a setting"))
}

pub(super) fn set(db: &Connection, name: &str, value: &str) -> Result<(), RepositoryError> {
    db.execute(
        "INSERT OR REPLACE INTO settings VALUES (?1, ?2)",
        [name, value],
    )
    .map(drop)
    .map_err(failed("writing a setting"))
}

pub(super) fn check_place(db: &Connection) -> Result<(), RepositoryError> {
    let (moved, arriving) = (setting(db, MOVED)?, setting(db, ARRIVING)?);
    rows::check_marks(moved.as_deref(), arriving.as_deref())
}

pub(super) fn leave_stores(db: &mut Connection, places: &[String]) -> Result<(), RepositoryError> {
    let places = rows::stores_left(places)?;
    transact(db, "leaving a store", |db| set(db, STORES_LEFT, &places))
}

/// What a write to a state that was moved fails with, if it is that.
pub(super) fn moved(error: &rusqlite::Error) -> Option<RepositoryError> {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(text))
            if code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER =>
        {
            let mark = text.strip_prefix(MOVED_TO)?;
            Some(Mark::decode(mark).ok()?.moved())
        }
        _ => None,
    }
}

pub(super) fn leave(
    db: &mut Connection,
    to: &Mark,
    carry: WithRows<'_>,
) -> Result<(), RepositoryError> {
    // In a transaction that writes: others read meanwhile, and wait to write.
    transact(db, LEAVING, |db| {
        carry(&mut SqliteRows(db))?;
        let mark = to.encode()?;
        set(db, MOVED, &mark)?;
        let said = format!("{MOVED_TO}{mark}").replace('\'', "''");
        for table in TABLES {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                let name = table.name;
                db.execute_batch(&format!(
                    "CREATE TRIGGER moved_{name}_{event} BEFORE {event} ON {name}
                     BEGIN SELECT RAISE(ABORT, '{said}'); END"
                ))
                .map_err(failed(LEAVING))?;
            }
        }
        Ok(())
    })
}

/// All rows, as a transaction sees them.
struct SqliteRows<'a>(&'a Connection);

impl Rows for SqliteRows<'_> {
    fn each(&mut self, table: &Table, take: TakeRows<'_>) -> Result<(), RepositoryError> {
        let sql = format!(
            "SELECT {} FROM {} {} ORDER BY {}",
            table.column_list(),
            table.name,
            table.condition(),
            table.key
        );
        let mut query = self.0.prepare(&sql).map_err(failed(COPYING))?;
        let mut found = query.query([]).map_err(failed(COPYING))?;
        let mut chunk = Vec::new();
        while let Some(row) = found.next().map_err(failed(COPYING))? {
            let value = |(at, (_, kind)): (usize, &(&str, Kind))| match kind {
                Kind::Number => row.get(at).map(Value::Number),
                Kind::Text => row.get(at).map(Value::Text),
                Kind::Bytes => row.get(at).map(Value::Bytes),
            };
            let values = table.columns.iter().enumerate().map(value);
            chunk.push(
                values
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(failed(COPYING))?,
            );
            if chunk.len() == ROWS_AT_ONCE {
                take(std::mem::take(&mut chunk))?;
            }
        }
        if chunk.is_empty() {
            return Ok(());
        }
        take(chunk)
    }

    fn last_number(&mut self, table: &str) -> Result<i64, RepositoryError> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
        let last = self.0.query_row(sql, [table], |row| row.get(0)).optional();
        Ok(last.map_err(failed(COPYING))?.unwrap_or(0))
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let nothing = ToSqlOutput::Owned(SqlValue::Null);
        Ok(match self {
            Self::Number(Some(number)) => ToSqlOutput::Owned(SqlValue::Integer(*number)),
            Self::Text(Some(text)) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(Some(bytes)) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Number(None) | Self::Text(None) | Self::Bytes(None) => nothing,
        })
    }
}

/// A file that a state is carried to.
pub struct SqliteArrival {
    path: PathBuf,
    settings: Settings,
}

impl SqliteArrival {
    /// At a path; `settings` are those of the state that comes.
    #[must_use]
    pub fn at(path: PathBuf, settings: Settings) -> Self {
        Self { path, settings }
    }

    /// Takes a file away that holds nothing but what an earlier move between the two places left.
    fn clear(&self, from: &Mark) -> Result<(), RepositoryError> {
        if !self.path.exists() {
            return Ok(());
        }
        let db = schema::open(&self.path)?;
        let is_empty = db
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map(|tables: i64| tables == 0)
            .map_err(failed(COPYING))?;
        if !is_empty {
            schema::check_version(&db)?;
            let (moved, arriving) = (setting(&db, MOVED)?, setting(&db, ARRIVING)?);
            if !rows::are_leavings(moved.as_deref(), arriving.as_deref(), from)? {
                let place = self.name();
                return Err(RepositoryError::HoldsAnother { place });
            }
        }
        drop(db);
        for end in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(end);
            remove(Path::new(&path))?;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<(), RepositoryError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RepositoryError::Io {
            doing: "remove",
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

impl Arrival for SqliteArrival {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn fill(&mut self, from: &Mark, rows: &mut dyn Rows) -> Result<(), RepositoryError> {
        self.clear(from)?;
        let mut db = schema::open(&self.path)?;
        schema::create(&mut db, &self.settings, |db| {
            fill(db, rows)?;
            set(db, ARRIVING, &from.encode()?)
        })
    }

    fn read(&mut self, with: WithRows<'_>) -> Result<(), RepositoryError> {
        let db = schema::open(&self.path)?;
        schema::check_version(&db)?;
        with(&mut SqliteRows(&db))
    }

    fn arrive(&mut self, id: &str) -> Result<(), RepositoryError> {
        Self::arrive_at(&self.path, id)
    }
}

impl SqliteArrival {
    /// Makes the copy of this number the state; nothing happens if it was made one before.
    pub fn arrive_at(path: &Path, id: &str) -> Result<(), RepositoryError> {
        if !path.exists() {
            return Err(RepositoryError::Missing {
                path: path.to_owned(),
            });
        }
        let mut db = schema::open(path)?;
        schema::check_version(&db)?;
        transact(&mut db, "taking the state's place", |db| {
            let (arriving, arrived) = (setting(db, ARRIVING)?, setting(db, ARRIVED)?);
            match rows::found(arriving.as_deref(), arrived.as_deref(), id)? {
                Found::Copy => {
                    let sql = "UPDATE settings SET name = ?2 WHERE name = ?1";
                    db.execute(sql, [ARRIVING, ARRIVED])
                        .map(drop)
                        .map_err(failed("taking the state's place"))
                }
                Found::State => Ok(()),
                Found::Other => Err(RepositoryError::HoldsAnother {
                    place: path.display().to_string(),
                }),
            }
        })
    }
}

/// Puts the rows in place of those that new tables begin with.
fn fill(db: &Transaction<'_>, rows: &mut dyn Rows) -> Result<(), RepositoryError> {
    for table in TABLES {
        let name = table.name;
        db.execute(&format!("DELETE FROM {name}"), [])
            .map_err(failed(COPYING))?;
        let places = vec!["?"; table.columns.len()].join(", ");
        let columns = table.column_list();
        let sql = format!("INSERT INTO {name} ({columns}) VALUES ({places})");
        let mut insert = db.prepare(&sql).map_err(failed(COPYING))?;
        rows.each(table, &mut |rows| {
            for row in rows {
                insert
                    .execute(params_from_iter(row))
                    .map_err(failed(COPYING))?;
            }
            Ok(())
        })?;
    }
    for table in NUMBERED {
        let last = rows.last_number(table)?;
        let row = params![table, last];
        db.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])
            .and_then(|_| {
                db.execute(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                    row,
                )
            })
            .map_err(failed(COPYING))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use policy::Policy;

    use super::*;

    /// A table or column that is not carried would be lost by a move, and nothing would notice.
    #[test]
    fn every_column_of_every_table_is_carried() {
        let policy = Policy::built_in_text("rehearsal").unwrap();
        let settings = Settings::from_policy(policy).unwrap();
        let mut db = Connection::open_in_memory().unwrap();
        schema::create(&mut db, &settings, |_| Ok(())).unwrap();
        let sql = "SELECT t.name, c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c
                   WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
        let mut query = db.prepare(sql).unwrap();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let made = query.query_map([], read).unwrap();
        let made: BTreeSet<(String, String, String)> = made.map(Result::unwrap).collect();
        let carried = TABLES.iter().flat_map(|table| {
            table.columns.iter().map(|(column, kind)| {
                let kind = match kind {
                    Kind::Number => "INTEGER",
                    Kind::Text => "TEXT",
                    Kind::Bytes => "BLOB",
                };
                (table.name.to_owned(), (*column).to_owned(), kind.to_owned())
            })
        });
        assert_eq!(carried.collect::<BTreeSet<_>>(), made);
        let sql = "SELECT name FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%' ORDER BY name";
        let mut query = db.prepare(sql).unwrap();
        let numbered = query.query_map([], |row| row.get(0)).unwrap();
        let numbered: Vec<String> = numbered.map(Result::unwrap).collect();
        let mut expected = NUMBERED;
        expected.sort_unstable();
        assert_eq!(numbered, expected);
    }
}
