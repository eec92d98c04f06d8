//! The tables, and the version of their layout.
//!
//! Names of columns and what stands in them are those of the state in SQLite, so that an index can be
//! carried from one to the other. Text is compared byte by byte (`COLLATE "C"`), as the documents that are
//! built from it want it, whatever the locale of the database.

use policy::StateLimits;
use postgres::types::Type;
use postgres::{Client, Transaction};
use repository::{RepositoryError, Settings, rows};

use crate::session::{Fault, Session, number, row, run};

/// Grows with every change of the tables; `index upgrade` migrates older ones.
pub(crate) const SCHEMA_VERSION: i64 = 1;

const TABLES: &str = r#"
    CREATE TABLE schema_version (
        one smallint PRIMARY KEY CHECK (one = 1),
        version bigint NOT NULL
    );
    CREATE TABLE settings (name text COLLATE "C" PRIMARY KEY, value text NOT NULL);

    -- One line: what is published. Times are in seconds since 1970.
    CREATE TABLE head (
        one smallint PRIMARY KEY CHECK (one = 1),
        generation bigint NOT NULL,
        signed bigint,
        timestamp bytea
    );
    INSERT INTO head VALUES (1, 0, NULL, NULL);

    -- One line: who is the writer, and until when, by this server's clock; without a time, who was. The
    -- number grows with every writer; each transaction of a cycle asks for it.
    CREATE TABLE lease (
        one smallint PRIMARY KEY CHECK (one = 1),
        number bigint NOT NULL,
        holder text,
        until timestamptz
    );
    INSERT INTO lease VALUES (1, 0, NULL, NULL);

    -- One row for each transaction of late: whether it happened, for those that got no answer.
    CREATE TABLE marks (mark bytea PRIMARY KEY, made timestamptz NOT NULL DEFAULT clock_timestamp());
    CREATE INDEX marks_by_age ON marks (made);

    CREATE TABLE roles (
        role text COLLATE "C" PRIMARY KEY,
        version bigint NOT NULL,
        sha256 text NOT NULL,
        length bigint NOT NULL,
        expires bigint NOT NULL,
        listing text NOT NULL
    );

    -- Versions given out, published or burned: none is ever given twice.
    CREATE TABLE allocated (role text COLLATE "C" PRIMARY KEY, version bigint NOT NULL);

    CREATE TABLE changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        accepted bigint NOT NULL,
        body text NOT NULL,
        outcome text,
        project text COLLATE "C" NOT NULL
    );
    CREATE INDEX changes_pending ON changes (id) WHERE outcome IS NULL;
    CREATE INDEX changes_pending_by_project ON changes (project, id) WHERE outcome IS NULL;

    -- Every request taken in over HTTP, with what it came to; with a key it gets that answer for ever.
    CREATE TABLE submissions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        accepted bigint NOT NULL,
        sender text COLLATE "C" NOT NULL,
        key text COLLATE "C",
        digest text,
        body text NOT NULL,
        UNIQUE (sender, key)
    );

    -- Every file name ever taken, removed ones too.
    CREATE TABLE names (filename text COLLATE "C" PRIMARY KEY, sha256 text NOT NULL);

    CREATE TABLE files (
        project text COLLATE "C" NOT NULL,
        filename text COLLATE "C" NOT NULL,
        body text NOT NULL,
        PRIMARY KEY (project, filename)
    );
    CREATE TABLE projects (project text COLLATE "C" PRIMARY KEY);

    -- A bin is read whole, in the order of its paths, by its primary key.
    CREATE TABLE targets (
        bin integer NOT NULL,
        path text COLLATE "C" NOT NULL,
        length bigint NOT NULL,
        sha256 bytea NOT NULL,
        PRIMARY KEY (bin, path)
    );

    CREATE TABLE sets (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        received bigint NOT NULL,
        state text NOT NULL
    );
    CREATE TABLE set_files (
        id bigint NOT NULL,
        role text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        bytes bytea NOT NULL,
        PRIMARY KEY (id, role, version)
    );

    -- The work of one cycle, from before its first put until it is published whole.
    CREATE TABLE staged (
        one smallint PRIMARY KEY CHECK (one = 1),
        base bigint NOT NULL,
        signed bigint NOT NULL,
        rows text NOT NULL
    );
    CREATE TABLE staged_objects (
        ord bigint PRIMARY KEY,
        phase text NOT NULL,
        path text COLLATE "C" NOT NULL,
        kind text NOT NULL,
        bytes bytea NOT NULL
    );

    -- Every published timestamp until it is swept.
    CREATE TABLE timestamps (version bigint PRIMARY KEY, expires bigint NOT NULL);
    -- Objects no longer named, with the last timestamp whose snapshot named them.
    CREATE TABLE superseded (path text COLLATE "C" PRIMARY KEY, last bigint NOT NULL);
    -- One line: until when objects that this database knows nothing of may still be named.
    CREATE TABLE unrecorded (one smallint PRIMARY KEY CHECK (one = 1), until bigint);
    INSERT INTO unrecorded VALUES (1, NULL);

    -- One line each; old ones are forgotten.
    CREATE TABLE publications (
        generation bigint PRIMARY KEY,
        signed bigint NOT NULL,
        timestamp bigint,
        snapshot bigint,
        bins bigint NOT NULL,
        changes bigint NOT NULL
    );

    -- Whose keys sign a project: stage, keys in force, keys to come, on whose word.
    CREATE TABLE claims (project text COLLATE "C" PRIMARY KEY, body text NOT NULL);
    -- Digests of all requests ever taken: none registers keys twice.
    CREATE TABLE claim_requests (
        request text COLLATE "C" PRIMARY KEY,
        project text COLLATE "C" NOT NULL
    );
    -- Files that developers gave up.
    CREATE TABLE withdrawn (
        filename text COLLATE "C" PRIMARY KEY,
        project text COLLATE "C" NOT NULL
    );
    CREATE INDEX withdrawn_by_project ON withdrawn (project);
"#;

/// What every connection is told first. A commit that was answered is on the medium; a transaction that
/// its program sleeps over is ended by the server, so that its locks stand in nobody's way.
pub(crate) fn session(limits: &StateLimits) -> String {
    let milliseconds = |time: std::time::Duration| time.as_millis().max(1);
    format!(
        "SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {};
         SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') = 'off';",
        milliseconds(limits.answer_timeout),
        milliseconds(limits.lease),
    )
}

/// Makes the tables in a database without any of ours.
pub(crate) fn create(session: &Session, settings: &Settings) -> Result<(), RepositoryError> {
    const DOING: &str = "creating its tables";
    if version(session)?.is_some() {
        return Err(RepositoryError::Exists {
            path: session.address().to_string().into(),
        });
    }
    // There is no table for the mark of this transaction yet.
    let made = session.read(DOING, |client| {
        let mut transaction = client.transaction()?;
        make(&mut transaction, settings)?;
        Ok(transaction.commit()?)
    });
    match made {
        // The answer to the commit was lost, and the second try found the tables of the first.
        Err(error) => match version(session) {
            Ok(Some(_)) if settings_are(session, settings) => Ok(()),
            _ => Err(error),
        },
        made => made,
    }
}

/// Makes the tables.
pub(crate) fn make(transaction: &mut Transaction<'_>, settings: &Settings) -> Result<(), Fault> {
    transaction.batch_execute(TABLES)?;
    run(
        transaction,
        "INSERT INTO schema_version VALUES (1, $1)",
        &[(&SCHEMA_VERSION, Type::INT8)],
    )?;
    write_settings(transaction, &rows::settings(settings))
}

fn settings_are(session: &Session, settings: &Settings) -> bool {
    let found = crate::read::settings(session);
    found.is_ok_and(|found| rows::settings(&found) == rows::settings(settings))
}

/// Writes settings over those of before.
pub(crate) fn write_settings(
    transaction: &mut Transaction<'_>,
    settings: &[(&'static str, String)],
) -> Result<(), Fault> {
    let names: Vec<&str> = settings.iter().map(|(name, _)| *name).collect();
    let values: Vec<&str> = settings.iter().map(|(_, value)| value.as_str()).collect();
    let sql = "INSERT INTO settings SELECT * FROM unnest($1, $2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    run(
        transaction,
        sql,
        &[(&names, Type::TEXT_ARRAY), (&values, Type::TEXT_ARRAY)],
    )
    .map(drop)
}

/// The version of the tables; `None` if there are none.
pub(crate) fn version(session: &Session) -> Result<Option<i64>, RepositoryError> {
    session.read("reading its version", version_in)
}

/// The same by a connection at hand.
pub(crate) fn version_in(client: &mut Client) -> Result<Option<i64>, Fault> {
    let sql = "SELECT 1::bigint WHERE to_regclass('schema_version') IS NOT NULL";
    if row(client, sql, &[])?.is_none() {
        return Ok(None);
    }
    number(client, "SELECT version FROM schema_version", &[]).map(Some)
}

/// Refuses tables that another program writes.
pub(crate) fn check_version(session: &Session) -> Result<(), RepositoryError> {
    match version(session)? {
        Some(SCHEMA_VERSION) => Ok(()),
        Some(found) => Err(RepositoryError::Schema {
            found,
            expected: SCHEMA_VERSION,
        }),
        None => Err(RepositoryError::Missing {
            path: session.address().to_string().into(),
        }),
    }
}

/// Brings older tables to this version, in one transaction; says which version they had.
pub(crate) fn upgrade(session: &Session) -> Result<i64, RepositoryError> {
    // There is one version so far: whatever else is there, a later program made.
    check_version(session).map(|()| SCHEMA_VERSION)
}
