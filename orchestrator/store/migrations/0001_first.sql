-- The first schema. Rows are kept in the order of their making by an explicit integer key, because VACUUM
-- may renumber implicit rowids. Partial unique indexes are locks that hold even against a bug in planctl.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE named_values (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE sessions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started REAL NOT NULL,
    host TEXT NOT NULL,
    boot TEXT NOT NULL,
    started_at TEXT NOT NULL,
    heartbeat_at TEXT NOT NULL,
    expires REAL NOT NULL,
    state TEXT NOT NULL,
    parent_pid INTEGER NOT NULL,
    terminal TEXT NOT NULL,
    task TEXT NOT NULL,
    note TEXT NOT NULL,
    ended_at TEXT,
    version INTEGER NOT NULL
);
CREATE INDEX sessions_by_state ON sessions (state);

-- A row outlives its grant (session is NULL then), so that the token of a name never falls.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    token INTEGER NOT NULL,
    session TEXT,
    boot TEXT NOT NULL,
    expires REAL NOT NULL,
    acquired_at TEXT NOT NULL,
    purpose TEXT NOT NULL
);

CREATE TABLE runs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    session TEXT NOT NULL,
    started_at TEXT NOT NULL,
    frozen TEXT NOT NULL,
    target TEXT NOT NULL,
    plans TEXT NOT NULL,
    options TEXT NOT NULL,
    state TEXT NOT NULL,
    finished_at TEXT,
    version INTEGER NOT NULL
);

CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    run TEXT NOT NULL REFERENCES runs (id),
    plan TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    priority REAL NOT NULL,
    branch TEXT NOT NULL,
    created_at TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    slot TEXT,
    worktree TEXT,
    base TEXT,
    stacked_on TEXT NOT NULL,
    head TEXT,
    entry TEXT,
    landed_commit TEXT,
    supervisor TEXT,
    exit_code INTEGER,
    drift TEXT NOT NULL,
    counted INTEGER NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    version INTEGER NOT NULL,
    UNIQUE (run, plan, number)
);
CREATE INDEX attempts_by_plan ON attempts (plan, seq);
CREATE INDEX attempts_by_state ON attempts (state);
CREATE UNIQUE INDEX attempts_one_at_a_time ON attempts (run, plan)
    WHERE state IN ('pending', 'waiting', 'preparing', 'running', 'prepared', 'finished', 'queued');

CREATE TABLE phases_done (
    seq INTEGER PRIMARY KEY,
    plan TEXT NOT NULL,
    phase TEXT NOT NULL,
    attempt TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    at TEXT NOT NULL,
    UNIQUE (plan, phase)
);

CREATE TABLE entries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    plan TEXT,
    branch TEXT NOT NULL,
    target TEXT NOT NULL,
    head TEXT NOT NULL,
    base TEXT NOT NULL,
    queued_at TEXT NOT NULL,
    priority REAL NOT NULL,
    state TEXT NOT NULL,
    explicit_base INTEGER NOT NULL,
    after TEXT NOT NULL,
    "check" TEXT,
    method TEXT,
    run TEXT,
    attempt TEXT,
    candidate TEXT,
    tree TEXT,
    landed_commit TEXT,
    unchecked INTEGER NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    finished_at TEXT,
    version INTEGER NOT NULL
);
CREATE INDEX entries_by_state ON entries (state);

CREATE TABLE verdicts (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tree TEXT NOT NULL,
    command TEXT NOT NULL,
    environment TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    passed INTEGER,
    exit_code INTEGER,
    started_at TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    seconds REAL NOT NULL,
    log TEXT NOT NULL,
    tainted INTEGER NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX verdicts_by_subject ON verdicts (tree, command, environment);

CREATE TABLE intents (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    entry TEXT NOT NULL,
    target TEXT NOT NULL,
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    epoch TEXT NOT NULL,
    created_at TEXT NOT NULL,
    checkouts TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL
);
CREATE INDEX intents_by_state ON intents (state);
CREATE UNIQUE INDEX intents_one_open_per_target ON intents (target) WHERE state = 'open';

CREATE TABLE slots (
    name TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    purpose TEXT NOT NULL,
    state TEXT NOT NULL,
    session TEXT,
    attempt TEXT,
    plan TEXT,
    detail TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    version INTEGER NOT NULL
);

-- AUTOINCREMENT: the number of a pruned event is never given again.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    ts TEXT NOT NULL,
    event TEXT NOT NULL,
    run TEXT,
    plan TEXT,
    data TEXT NOT NULL
);
CREATE INDEX events_by_run ON events (run, sequence);
