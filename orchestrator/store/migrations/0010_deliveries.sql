-- The outbox of notifications: a row for each event and each channel that is to be told of it.
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    code TEXT NOT NULL,
    notice TEXT NOT NULL,
    at TEXT NOT NULL,
    state TEXT NOT NULL,
    session TEXT,
    tries INTEGER NOT NULL,
    detail TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    version INTEGER NOT NULL
);
CREATE INDEX deliveries_by_state ON deliveries (channel, state);
CREATE INDEX deliveries_by_subject ON deliveries (channel, subject);
