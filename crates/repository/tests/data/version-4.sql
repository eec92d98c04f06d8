-- What the program of schema version 4 made of a database of version 3, statement by statement.
BEGIN;
CREATE TABLE claims (project TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE claim_requests (
    request TEXT PRIMARY KEY,
    project TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE withdrawn (
    filename TEXT PRIMARY KEY,
    project TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX withdrawn_by_project ON withdrawn (project);
PRAGMA user_version = 4;
COMMIT
