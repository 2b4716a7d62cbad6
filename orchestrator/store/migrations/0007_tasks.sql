-- Tasks of plans that somebody has claimed; one that nobody ever touched has no row.
CREATE TABLE tasks (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    plan TEXT NOT NULL,
    task TEXT NOT NULL,
    state TEXT NOT NULL,
    claimed_by TEXT,
    token INTEGER NOT NULL,
    claimed_at TEXT,
    started_at TEXT,
    completed_at TEXT,
    duration_seconds REAL,
    result TEXT NOT NULL,
    note TEXT NOT NULL,
    worktree TEXT NOT NULL,
    branch TEXT NOT NULL,
    boot TEXT NOT NULL,
    began REAL NOT NULL,
    version INTEGER NOT NULL
);
CREATE INDEX tasks_by_holder ON tasks (claimed_by);
