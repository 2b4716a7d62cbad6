-- name: add(id, session, started_at, frozen, target, plans, options, state, finished_at, version)!
INSERT INTO runs (id, session, started_at, frozen, target, plans, options, state, finished_at, version)
VALUES (:id, :session, :started_at, :frozen, :target, :plans, :options, :state, :finished_at, :version);

-- name: get(id)^
SELECT * FROM runs WHERE id = :id;

-- name: find(states)
SELECT * FROM runs WHERE :states IS NULL OR state IN (SELECT value FROM json_each(:states)) ORDER BY seq;

-- name: write(id, was_state, was_version, session, started_at, frozen, target, plans, options, state, finished_at, version)!
UPDATE runs SET
    session = :session, started_at = :started_at, frozen = :frozen, target = :target, plans = :plans,
    options = :options, state = :state, finished_at = :finished_at, version = :version
WHERE id = :id AND state = :was_state AND version = :was_version;

-- name: complete_phase(plan, phase, attempt, commit, at)!
INSERT INTO phases_done (plan, phase, attempt, "commit", at) VALUES (:plan, :phase, :attempt, :commit, :at)
ON CONFLICT (plan, phase) DO UPDATE SET
    attempt = excluded.attempt, "commit" = excluded."commit", at = excluded.at;

-- name: phases_done(plan)
SELECT * FROM phases_done WHERE :plan IS NULL OR plan = :plan ORDER BY seq;
