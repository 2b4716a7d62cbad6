-- name: add(id, plan, branch, target, head, base, queued_at, priority, state, explicit_base, after, check, method, reads, run, attempt, candidate, tree, landed_commit, unchecked, reason, attempts, finished_at, arrival, version)<!
INSERT INTO entries (id, plan, branch, target, head, base, queued_at, priority, state, explicit_base, after,
                     "check", method, reads, run, attempt, candidate, tree, landed_commit, unchecked, reason, attempts,
                     finished_at, arrival, version)
VALUES (:id, :plan, :branch, :target, :head, :base, :queued_at, :priority, :state, :explicit_base, :after,
        :check, :method, :reads, :run, :attempt, :candidate, :tree, :landed_commit, :unchecked, :reason, :attempts,
        :finished_at, :arrival, :version);

-- name: get(id)^
SELECT * FROM entries WHERE id = :id;

-- name: find(target)
SELECT * FROM entries WHERE :target IS NULL OR target = :target ORDER BY sequence;

-- name: in_states(target, states)
SELECT * FROM entries
WHERE state IN (SELECT value FROM json_each(:states)) AND (:target IS NULL OR target = :target)
ORDER BY sequence;

-- name: write(id, was_state, was_version, branch, target, head, base, queued_at, priority, state, explicit_base, after, check, method, reads, run, attempt, candidate, tree, landed_commit, unchecked, reason, attempts, finished_at, arrival, version)!
UPDATE entries SET
    branch = :branch, target = :target, head = :head, base = :base, queued_at = :queued_at,
    priority = :priority, state = :state, explicit_base = :explicit_base, after = :after, "check" = :check,
    method = :method, reads = :reads, run = :run, attempt = :attempt, candidate = :candidate, tree = :tree,
    landed_commit = :landed_commit, unchecked = :unchecked, reason = :reason, attempts = :attempts,
    finished_at = :finished_at, arrival = :arrival, version = :version
WHERE id = :id AND state = :was_state AND version = :was_version;
