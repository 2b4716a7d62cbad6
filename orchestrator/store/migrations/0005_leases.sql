-- Leases with a scope: several readers may hold one name, and reservations of files lie beside each other.
-- The last token of a name is kept apart from its grants, and never falls.
CREATE TABLE lease_tokens (
    name TEXT PRIMARY KEY,
    token INTEGER NOT NULL
);
INSERT INTO lease_tokens (name, token) SELECT name, token FROM leases;

CREATE TABLE lease_grants (
    seq INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    token INTEGER NOT NULL,
    session TEXT NOT NULL,
    boot TEXT NOT NULL,
    expires REAL NOT NULL,
    acquired_at TEXT NOT NULL,
    purpose TEXT NOT NULL,
    scope TEXT NOT NULL,
    branch TEXT NOT NULL,
    patterns TEXT NOT NULL,
    since REAL NOT NULL,
    UNIQUE (name, token)
);
INSERT INTO lease_grants (name, token, session, boot, expires, acquired_at, purpose, scope, branch, patterns, since)
SELECT name, token, session, boot, expires, acquired_at, purpose, 'write', '', '[]', 0 FROM leases
WHERE session IS NOT NULL;
DROP TABLE leases;
ALTER TABLE lease_grants RENAME TO leases;
CREATE INDEX leases_by_session ON leases (session);
-- A lock that holds even against a bug in planctl: one writer of a whole name.
CREATE UNIQUE INDEX leases_one_writer ON leases (name) WHERE scope = 'write' AND patterns = '[]';

-- Who waits for a lease; a row that is not refreshed in time waits no more.
CREATE TABLE lease_waits (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    session TEXT NOT NULL,
    boot TEXT NOT NULL,
    expires REAL NOT NULL,
    asked_at TEXT NOT NULL,
    asked REAL NOT NULL,
    scope TEXT NOT NULL,
    branch TEXT NOT NULL,
    patterns TEXT NOT NULL,
    priority REAL NOT NULL,
    purpose TEXT NOT NULL
);
CREATE INDEX lease_waits_by_name ON lease_waits (name);

-- What became of each lease, for `lock list --history` and for estimates.
CREATE TABLE lease_notes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    branch TEXT NOT NULL,
    patterns TEXT NOT NULL,
    session TEXT NOT NULL,
    token INTEGER NOT NULL,
    seconds REAL,
    detail TEXT NOT NULL
);
CREATE INDEX lease_notes_by_name ON lease_notes (name, sequence);
