-- name: add(id, kind, pid, process_started, host, boot, started_at, heartbeat_at, expires, state, parent_pid, terminal, task, note, ended_at, agent, container, labels, children, left_behind, worktree, version)!
INSERT INTO sessions (id, kind, pid, process_started, host, boot, started_at, heartbeat_at, expires, state,
                      parent_pid, terminal, task, note, ended_at, agent, container, labels, children, left_behind,
                      worktree, version)
VALUES (:id, :kind, :pid, :process_started, :host, :boot, :started_at, :heartbeat_at, :expires, :state,
        :parent_pid, :terminal, :task, :note, :ended_at, :agent, :container, :labels, :children, :left_behind,
        :worktree, :version);

-- name: get(id)^
SELECT * FROM sessions WHERE id = :id;

-- name: find(states)
SELECT * FROM sessions
WHERE :states IS NULL OR state IN (SELECT value FROM json_each(:states))
ORDER BY seq;

-- name: write(id, was_state, was_version, kind, pid, process_started, host, boot, started_at, heartbeat_at, expires, state, parent_pid, terminal, task, note, ended_at, agent, container, labels, children, left_behind, worktree, version)!
UPDATE sessions SET
    kind = :kind, pid = :pid, process_started = :process_started, host = :host, boot = :boot,
    started_at = :started_at, heartbeat_at = :heartbeat_at, expires = :expires, state = :state,
    parent_pid = :parent_pid, terminal = :terminal, task = :task, note = :note, ended_at = :ended_at,
    agent = :agent, container = :container, labels = :labels, children = :children, left_behind = :left_behind,
    worktree = :worktree, version = :version
WHERE id = :id AND state = :was_state AND version = :was_version;

-- name: beat(id, expires, at, task)!
-- The version rises, so that a cleaner that has read the row before this beat cannot end the session.
UPDATE sessions SET expires = :expires, heartbeat_at = :at, task = coalesce(:task, task), version = version + 1
WHERE id = :id AND state = 'active';

-- name: prune(before)!
DELETE FROM sessions WHERE state = 'ended' AND ended_at < :before;
