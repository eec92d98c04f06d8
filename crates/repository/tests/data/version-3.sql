-- What the program of schema version 3 made of a database of version 2, statement by statement.
BEGIN;
CREATE TABLE publications (
    generation INTEGER PRIMARY KEY,
    signed INTEGER NOT NULL,
    timestamp INTEGER,
    snapshot INTEGER,
    bins INTEGER NOT NULL,
    changes INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 3;
COMMIT
