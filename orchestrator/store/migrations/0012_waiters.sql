-- The process that waits, which need not be that of its session: when it is gone, its place in the line is.
ALTER TABLE lease_waits ADD COLUMN pid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lease_waits ADD COLUMN process_started REAL NOT NULL DEFAULT 0;
ALTER TABLE lease_waits ADD COLUMN host TEXT NOT NULL DEFAULT '';
-- The worktree of its own where an agent works, whose uncommitted work is kept when the agent crashes.
ALTER TABLE sessions ADD COLUMN worktree TEXT NOT NULL DEFAULT '';
