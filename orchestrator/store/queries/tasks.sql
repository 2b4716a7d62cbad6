-- name: add(id, plan, task, state, claimed_by, token, claimed_at, started_at, completed_at, duration_seconds, result, note, worktree, branch, boot, began, version)!
INSERT INTO tasks (id, plan, task, state, claimed_by, token, claimed_at, started_at, completed_at,
                   duration_seconds, result, note, worktree, branch, boot, began, version)
VALUES (:id, :plan, :task, :state, :claimed_by, :token, :claimed_at, :started_at, :completed_at,
        :duration_seconds, :result, :note, :worktree, :branch, :boot, :began, :version);

-- name: get(id)^
SELECT * FROM tasks WHERE id = :id;

-- name: find(plan, claimed_by)
SELECT * FROM tasks
WHERE (:plan IS NULL OR plan = :plan) AND (:claimed_by IS NULL OR claimed_by = :claimed_by)
ORDER BY seq;

-- name: write(id, was_state, was_version, state, claimed_by, token, claimed_at, started_at, completed_at, duration_seconds, result, note, worktree, branch, boot, began, version)!
UPDATE tasks SET
    state = :state, claimed_by = :claimed_by, token = :token, claimed_at = :claimed_at, started_at = :started_at,
    completed_at = :completed_at, duration_seconds = :duration_seconds, result = :result, note = :note,
    worktree = :worktree, branch = :branch, boot = :boot, began = :began, version = :version
WHERE id = :id AND state = :was_state AND version = :was_version;
