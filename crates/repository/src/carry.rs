//! The rows of a state, as they are carried to another one in whatever database (decision 0028).

use std::collections::BTreeMap;

use metadata::{Sha256, Sha256Stream};

use crate::error::RepositoryError;
use crate::rows::{ARRIVED, ARRIVING, MOVED, Mark};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Number,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// What a row holds in one column; `None` for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Number(Option<i64>),
    /// Text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

/// A table that every state has, under the same names.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [(&'static str, Kind)],
    /// Columns by which its rows are told apart, and ordered.
    pub key: &'static str,
}

impl Table {
    /// The names of its columns, as a statement lists them.
    #[must_use]
    pub fn column_list(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// Which of its rows are carried, as a statement says it: all but what is said of this place alone.
    #[must_use]
    pub fn condition(&self) -> String {
        if self.name == SETTINGS {
            format!("WHERE name NOT IN ('{MOVED}', '{ARRIVING}', '{ARRIVED}')")
        } else {
            String::new()
        }
    }
}

const SETTINGS: &str = "settings";

const fn number(name: &'static str) -> (&'static str, Kind) {
    (name, Kind::Number)
}
const fn text(name: &'static str) -> (&'static str, Kind) {
    (name, Kind::Text)
}
const fn bytes(name: &'static str) -> (&'static str, Kind) {
    (name, Kind::Bytes)
}
const fn table(
    name: &'static str,
    key: &'static str,
    columns: &'static [(&'static str, Kind)],
) -> Table {
    Table { name, columns, key }
}

/// All of them, with all their columns: tests of both kinds of database hold this against what they make. A
/// table that only one kind has says nothing that is carried.
#[rustfmt::skip]
pub const TABLES: &[Table] = &[
    table(SETTINGS, "name", &[text("name"), text("value")]),
    table("head", "one", &[number("one"), number("generation"), number("signed"), bytes("timestamp")]),
    table("roles", "role", &[
        text("role"), number("version"), text("sha256"), number("length"), number("expires"), text("listing"),
    ]),
    table("allocated", "role", &[text("role"), number("version")]),
    table("changes", "id", &[
        number("id"), number("accepted"), text("body"), text("outcome"), text("project"),
    ]),
    table("submissions", "id", &[
        number("id"), number("accepted"), text("sender"), text("key"), text("digest"), text("body"),
    ]),
    table("names", "filename", &[text("filename"), text("sha256")]),
    table("files", "project, filename", &[text("project"), text("filename"), text("body")]),
    table("projects", "project", &[text("project")]),
    table("targets", "bin, path", &[number("bin"), text("path"), number("length"), bytes("sha256")]),
    table("sets", "id", &[number("id"), number("received"), text("state")]),
    table("set_files", "id, role, version", &[
        number("id"), text("role"), number("version"), bytes("bytes"),
    ]),
    table("staged", "one", &[number("one"), number("base"), number("signed"), text("rows")]),
    table("staged_objects", "ord", &[
        number("ord"), text("phase"), text("path"), text("kind"), bytes("bytes"),
    ]),
    table("timestamps", "version", &[number("version"), number("expires")]),
    table("superseded", "path", &[text("path"), number("last")]),
    table("unrecorded", "one", &[number("one"), number("until")]),
    table("publications", "generation", &[
        number("generation"), number("signed"), number("timestamp"), number("snapshot"), number("bins"),
        number("changes"),
    ]),
    table("claims", "project", &[text("project"), text("body")]),
    table("claim_requests", "request", &[text("request"), text("project")]),
    table("withdrawn", "filename", &[text("filename"), text("project")]),
];

/// Tables whose rows are numbered, with numbers that are never given twice.
pub const NUMBERED: [&str; 3] = ["changes", "submissions", "sets"];

/// Rows that are handed over at a time.
pub const ROWS_AT_ONCE: usize = 500;

/// Takes some rows of a table.
pub type TakeRows<'a> = &'a mut dyn FnMut(Vec<Vec<Value>>) -> Result<(), RepositoryError>;

/// The rows of a state, all of one moment.
pub trait Rows {
    /// Hands over the rows of a table in the order of its key, at most [`ROWS_AT_ONCE`] at a time.
    fn each(&mut self, table: &Table, take: TakeRows<'_>) -> Result<(), RepositoryError>;

    /// The last number given out in a table of [`NUMBERED`]; 0 for none.
    fn last_number(&mut self, table: &str) -> Result<i64, RepositoryError>;
}

/// Does something with all rows of a state.
pub type WithRows<'a> = &'a mut dyn FnMut(&mut dyn Rows) -> Result<(), RepositoryError>;

/// A place that a state is carried to. Until [`Arrival::arrive`] it cannot be opened as a state.
pub trait Arrival {
    /// The place in words.
    fn name(&self) -> String;

    /// Makes the tables and fills them, in one transaction, over what an earlier try from the same place
    /// left there. Refuses a place that holds another state.
    fn fill(&mut self, from: &Mark, rows: &mut dyn Rows) -> Result<(), RepositoryError>;

    /// Reads back what is there.
    fn read(&mut self, with: WithRows<'_>) -> Result<(), RepositoryError>;

    /// Makes it a state, if it is the copy of this number; nothing happens if it was made one before.
    fn arrive(&mut self, id: &str) -> Result<(), RepositoryError>;
}

/// Number of rows and digest of every table, and the last numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    tables: BTreeMap<&'static str, (u64, Sha256)>,
    numbers: BTreeMap<String, i64>,
}

impl Sums {
    /// Of all rows.
    pub(crate) fn of(rows: &mut dyn Rows) -> Result<Self, RepositoryError> {
        let mut summing = Summing::new(rows);
        for table in TABLES {
            summing.each(table, &mut |_| Ok(()))?;
        }
        for table in NUMBERED {
            summing.last_number(table)?;
        }
        Ok(summing.sums)
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> u64 {
        self.tables.values().map(|(count, _)| count).sum()
    }

    /// The first table in which another differs.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        let differs = |name: &&str| {
            self.tables.get(name) != other.tables.get(name)
                || self.numbers.get(*name) != other.numbers.get(*name)
        };
        TABLES.iter().map(|table| table.name).find(differs)
    }
}

/// Sums up the rows that pass through it.
pub(crate) struct Summing<'a> {
    rows: &'a mut dyn Rows,
    pub(crate) sums: Sums,
}

impl<'a> Summing<'a> {
    pub(crate) fn new(rows: &'a mut dyn Rows) -> Self {
        let sums = Sums::default();
        Self { rows, sums }
    }
}

impl Rows for Summing<'_> {
    fn each(&mut self, table: &Table, take: TakeRows<'_>) -> Result<(), RepositoryError> {
        let (mut count, mut digest) = (0, Sha256Stream::new());
        self.rows.each(table, &mut |rows| {
            count += rows.len() as u64;
            for value in rows.iter().flatten() {
                add(&mut digest, value);
            }
            take(rows)
        })?;
        self.sums
            .tables
            .insert(table.name, (count, digest.finish()));
        Ok(())
    }

    fn last_number(&mut self, table: &str) -> Result<i64, RepositoryError> {
        let last = self.rows.last_number(table)?;
        self.sums.numbers.insert(table.to_owned(), last);
        Ok(last)
    }
}

/// Adds a value, so that no two lists of values are the same bytes.
fn add(digest: &mut Sha256Stream, value: &Value) {
    let mut field = |kind: u8, bytes: Option<&[u8]>| {
        digest.update(&[kind, u8::from(bytes.is_some())]);
        if let Some(bytes) = bytes {
            digest.update(&(bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
    };
    match value {
        Value::Number(number) => {
            let number = number.map(i64::to_be_bytes);
            field(0, number.as_ref().map(<[u8; 8]>::as_slice));
        }
        Value::Text(text) => field(1, text.as_deref().map(str::as_bytes)),
        Value::Bytes(bytes) => field(2, bytes.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state of one table.
    struct One(Vec<Vec<Value>>, i64);

    impl Rows for One {
        fn each(&mut self, table: &Table, take: TakeRows<'_>) -> Result<(), RepositoryError> {
            match table.name {
                "withdrawn" => self.0.iter().try_for_each(|row| take(vec![row.clone()])),
                _ => Ok(()),
            }
        }

        fn last_number(&mut self, _: &str) -> Result<i64, RepositoryError> {
            Ok(self.1)
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(Some(text.to_owned()))
    }

    #[test]
    fn whatever_differs_is_noticed() {
        let rows = vec![vec![text("a"), text("bc")], vec![text("d"), text("e")]];
        let sums = Sums::of(&mut One(rows.clone(), 7)).unwrap();
        assert_eq!((sums.rows(), sums.difference(&sums.clone())), (2, None));
        let others = [
            vec![rows[0].clone()],
            vec![rows[1].clone(), rows[0].clone()],
            vec![vec![text("ab"), text("c")], rows[1].clone()],
            vec![
                vec![text("a"), Value::Bytes(Some(b"bc".to_vec()))],
                rows[1].clone(),
            ],
            vec![vec![text("a"), Value::Text(None)], rows[1].clone()],
        ];
        for other in others {
            let other = Sums::of(&mut One(other, 7)).unwrap();
            assert_eq!(sums.difference(&other), Some("withdrawn"));
        }
        let numbered = Sums::of(&mut One(rows, 8)).unwrap();
        assert_eq!(sums.difference(&numbered), Some("changes"));
    }
}
