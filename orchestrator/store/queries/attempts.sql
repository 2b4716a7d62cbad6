-- name: add(id, run, plan, number, digest, priority, branch, created_at, state, reason, slot, worktree, base, stacked_on, head, entry, landed_commit, supervisor, exit_code, drift, counted, started_at, finished_at, holds, deferral, version)!
INSERT INTO attempts (id, run, plan, number, digest, priority, branch, created_at, state, reason, slot, worktree,
                      base, stacked_on, head, entry, landed_commit, supervisor, exit_code, drift, counted,
                      started_at, finished_at, holds, deferral, version)
VALUES (:id, :run, :plan, :number, :digest, :priority, :branch, :created_at, :state, :reason, :slot, :worktree,
        :base, :stacked_on, :head, :entry, :landed_commit, :supervisor, :exit_code, :drift, :counted,
        :started_at, :finished_at, :holds, :deferral, :version);

-- name: get(id)^
SELECT * FROM attempts WHERE id = :id;

-- name: find(run)
SELECT * FROM attempts WHERE :run IS NULL OR run = :run ORDER BY seq;

-- name: in_states(run, states)
SELECT * FROM attempts
WHERE state IN (SELECT value FROM json_each(:states)) AND (:run IS NULL OR run = :run)
ORDER BY seq;

-- name: of_plan(run, plan, states)
SELECT * FROM attempts
WHERE plan = :plan AND (:run IS NULL OR run = :run)
  AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
ORDER BY seq;

-- name: mark()^
SELECT coalesce(max(seq), 0) AS mark FROM attempts;

-- name: since(run, mark, states)
-- by the indexes of seq and state: the one of run would go through all that have ended
SELECT * FROM attempts
WHERE seq IN (
    SELECT seq FROM attempts WHERE state IN (SELECT value FROM json_each(:states))
    UNION SELECT seq FROM attempts WHERE seq > :mark
) AND +run = :run
ORDER BY seq;

-- name: at_work(run, since, states)
SELECT * FROM attempts
WHERE run = :run AND (
    state IN (SELECT value FROM json_each(:states)) OR (started_at IS NOT NULL AND finished_at >= :since)
)
ORDER BY seq;

-- name: latest()
SELECT * FROM attempts WHERE seq IN (SELECT max(seq) FROM attempts GROUP BY plan) ORDER BY plan;

-- name: write(id, was_state, was_version, digest, priority, branch, created_at, state, reason, slot, worktree, base, stacked_on, head, entry, landed_commit, supervisor, exit_code, drift, counted, started_at, finished_at, holds, deferral, version)!
UPDATE attempts SET
    digest = :digest, priority = :priority, branch = :branch, created_at = :created_at, state = :state,
    reason = :reason, slot = :slot, worktree = :worktree, base = :base, stacked_on = :stacked_on, head = :head,
    entry = :entry, landed_commit = :landed_commit, supervisor = :supervisor, exit_code = :exit_code,
    drift = :drift, counted = :counted, started_at = :started_at, finished_at = :finished_at, holds = :holds,
    deferral = :deferral,
    version = :version
WHERE id = :id AND state = :was_state AND version = :was_version;

-- name: spans(states)
SELECT plan, started_at, finished_at FROM attempts
WHERE started_at IS NOT NULL AND finished_at IS NOT NULL AND state IN (SELECT value FROM json_each(:states));
