//! The tables, and the version of their layout.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::change::Queued;
use crate::error::RepositoryError;
use crate::record::Settings;
use crate::sqlite::failed;
use crate::sqlite::read::pending;

/// Grows with every change of the tables; `index upgrade` migrates older ones.
const SCHEMA_VERSION: i64 = 5;

/// How long a command waits for another to finish its transaction.
const BUSY: Duration = Duration::from_secs(30);

/// What version 2 added: which published timestamps can still name objects that were replaced.
const HISTORY: &str = "
    -- Every published timestamp until it is swept; times in seconds since 1970.
    CREATE TABLE timestamps (version INTEGER PRIMARY KEY, expires INTEGER NOT NULL) STRICT;
    -- Objects no longer named, with the last timestamp whose snapshot named them.
    CREATE TABLE superseded (path TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    -- One line: until when objects that this database knows nothing of may still be named, because
    -- they were published before it kept this history or after the backup it came from.
    CREATE TABLE unrecorded (one INTEGER PRIMARY KEY CHECK (one = 1), until INTEGER) STRICT;
    INSERT INTO unrecorded VALUES (1, NULL);
";

/// What version 3 added: a record of the last publications.
const PUBLICATIONS: &str = "
    -- One line each, times in seconds since 1970; old ones are forgotten.
    CREATE TABLE publications (
        generation INTEGER PRIMARY KEY,
        signed INTEGER NOT NULL,
        timestamp INTEGER,
        snapshot INTEGER,
        bins INTEGER NOT NULL,
        changes INTEGER NOT NULL
    ) STRICT;
";

/// What version 4 added: projects whose developers sign (PEP 480).
const CLAIMS: &str = "
    -- Whose keys sign a project: stage, keys in force, keys to come, on whose word.
    CREATE TABLE claims (project TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
    -- Digests of all requests ever taken: none registers keys twice.
    CREATE TABLE claim_requests (
        request TEXT PRIMARY KEY,
        project TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- Files that developers gave up.
    CREATE TABLE withdrawn (
        filename TEXT PRIMARY KEY,
        project TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX withdrawn_by_project ON withdrawn (project);
";

/// What version 5 added: requests with their answers, and waiting changes by project.
const SUBMISSIONS: &str = "
    -- Every request taken in over HTTP, with what it came to; with a key it gets that answer for ever.
    CREATE TABLE submissions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        accepted INTEGER NOT NULL,
        sender TEXT NOT NULL,
        key TEXT,
        digest TEXT,
        body TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX submissions_by_key ON submissions (sender, key) WHERE key NOTNULL;
    -- Of changes decided before version 5, the project is not filled in: nobody asks for it.
    ALTER TABLE changes ADD COLUMN project TEXT NOT NULL DEFAULT '';
    CREATE INDEX changes_pending_by_project ON changes (project, id) WHERE outcome IS NULL;
";

const TABLES: &str = "
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

    -- One line: what is published. `signed` is in seconds since 1970.
    CREATE TABLE head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        generation INTEGER NOT NULL,
        signed INTEGER,
        timestamp BLOB
    ) STRICT;
    INSERT INTO head VALUES (1, 0, NULL, NULL);

    CREATE TABLE roles (
        role TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        length INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        listing TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Versions given out, published or burned: none is ever given twice.
    CREATE TABLE allocated (role TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE changes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        accepted INTEGER NOT NULL,
        body TEXT NOT NULL,
        outcome TEXT
    ) STRICT;
    CREATE INDEX changes_pending ON changes (id) WHERE outcome IS NULL;

    -- Every file name ever taken, removed ones too.
    CREATE TABLE names (filename TEXT PRIMARY KEY, sha256 TEXT NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE files (
        project TEXT NOT NULL,
        filename TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (project, filename)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE projects (project TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

    -- In the order bins are written: by bin, then path.
    CREATE TABLE targets (
        bin INTEGER NOT NULL,
        path TEXT NOT NULL,
        length INTEGER NOT NULL,
        sha256 BLOB NOT NULL,
        PRIMARY KEY (bin, path)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE sets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        received INTEGER NOT NULL,
        state TEXT NOT NULL
    ) STRICT;
    CREATE TABLE set_files (
        id INTEGER NOT NULL,
        role TEXT NOT NULL,
        version INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (id, role, version)
    ) STRICT, WITHOUT ROWID;

    -- The work of one cycle, from before its first put until it is published whole.
    CREATE TABLE staged (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        base INTEGER NOT NULL,
        signed INTEGER NOT NULL,
        rows TEXT NOT NULL
    ) STRICT;
    CREATE TABLE staged_objects (
        ord INTEGER PRIMARY KEY,
        phase TEXT NOT NULL,
        path TEXT NOT NULL,
        kind TEXT NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
";

pub(super) fn open(path: &Path) -> Result<Connection, RepositoryError> {
    let db = Connection::open(path).map_err(failed("opening it"))?;
    db.busy_timeout(BUSY).map_err(failed("opening it"))?;
    db.pragma_update(None, "journal_mode", "WAL")
        .map_err(failed("opening it"))?;
    db.pragma_update(None, "synchronous", "FULL")
        .map_err(failed("opening it"))?;
    db.pragma_update(None, "trusted_schema", "OFF")
        .map_err(failed("opening it"))?;
    Ok(db)
}

/// Makes the tables, and lets `fill` put rows into them, in one transaction.
pub(super) fn create(
    db: &mut Connection,
    settings: &Settings,
    fill: impl FnOnce(&Transaction<'_>) -> Result<(), RepositoryError>,
) -> Result<(), RepositoryError> {
    const DOING: &str = "creating its tables";
    let transaction = db.transaction().map_err(failed(DOING))?;
    make(&transaction, settings).map_err(failed(DOING))?;
    fill(&transaction)?;
    transaction.commit().map_err(failed(DOING))
}

fn make(transaction: &Transaction<'_>, settings: &Settings) -> rusqlite::Result<()> {
    for tables in [TABLES, HISTORY, PUBLICATIONS, CLAIMS, SUBMISSIONS] {
        transaction.execute_batch(tables)?;
    }
    for (name, value) in settings.encode() {
        transaction.execute("INSERT INTO settings VALUES (?1, ?2)", (name, value))?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)
}

pub(super) fn check_version(db: &Connection) -> Result<(), RepositoryError> {
    let found = db
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed("reading its version"))?;
    if found == SCHEMA_VERSION {
        return Ok(());
    }
    Err(RepositoryError::Schema {
        found,
        expected: SCHEMA_VERSION,
    })
}

/// Brings an older database to this version, in one transaction; says which version it had.
pub(super) fn upgrade(db: &mut Connection) -> Result<i64, RepositoryError> {
    const DOING: &str = "upgrading it";
    let found: i64 = db
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed(DOING))?;
    match found {
        SCHEMA_VERSION => return Ok(found),
        1..=4 => {}
        _ => {
            return Err(RepositoryError::Schema {
                found,
                expected: SCHEMA_VERSION,
            });
        }
    }
    let waiting = projects_of_waiting(db)?;
    let mut migrate = || -> rusqlite::Result<()> {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if found == 1 {
            transaction.execute_batch(HISTORY)?;
            // Older timestamps lived no longer than this one, so nothing outlives it unnoticed.
            transaction.execute_batch(
                "INSERT INTO timestamps SELECT version, expires FROM roles WHERE role = 'timestamp';
                 UPDATE unrecorded SET until = (SELECT max(expires) FROM timestamps);",
            )?;
        }
        if found < 3 {
            transaction.execute_batch(PUBLICATIONS)?;
        }
        if found < 4 {
            transaction.execute_batch(CLAIMS)?;
        }
        transaction.execute_batch(SUBMISSIONS)?;
        for (id, project) in &waiting {
            let sql = "UPDATE changes SET project = ?2 WHERE id = ?1";
            transaction.execute(sql, (id, project))?;
        }
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()
    };
    migrate().map_err(failed(DOING))?;
    Ok(found)
}

/// The projects of waiting changes, by number: older tables do not name them.
fn projects_of_waiting(db: &Connection) -> Result<Vec<(i64, String)>, RepositoryError> {
    let waiting = pending(db)?.into_iter();
    let project = |one: Queued| (one.id.0, one.change.project().to_string());
    Ok(waiting.map(project).collect())
}
