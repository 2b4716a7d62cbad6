-- What was counted of events that may have been pruned since: the totals of `metrics` never fall.
CREATE TABLE totals (
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    times INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (name, label)
) WITHOUT ROWID;
