-- What the program of schema version 2 made of a database of version 1, statement by statement.
BEGIN;
CREATE TABLE timestamps (version INTEGER PRIMARY KEY, expires INTEGER NOT NULL) STRICT;
CREATE TABLE superseded (path TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE unrecorded (one INTEGER PRIMARY KEY CHECK (one = 1), until INTEGER) STRICT;
INSERT INTO unrecorded VALUES (1, NULL);
INSERT INTO timestamps SELECT version, expires FROM roles WHERE role = 'timestamp';
UPDATE unrecorded SET until = (SELECT max(expires) FROM timestamps);
PRAGMA user_version = 2;
COMMIT;
