-- name: add_verdict(id, tree, command, environment, commit, passed, exit_code, started_at, finished_at, seconds, log, tainted, detail)!
INSERT INTO verdicts (id, tree, command, environment, "commit", passed, exit_code, started_at, finished_at,
                      seconds, log, tainted, detail)
VALUES (:id, :tree, :command, :environment, :commit, :passed, :exit_code, :started_at, :finished_at,
        :seconds, :log, :tainted, :detail);

-- name: verdicts(tree, command, environment)
SELECT * FROM verdicts
WHERE tree = :tree AND command = :command AND (:environment IS NULL OR environment = :environment)
ORDER BY seq DESC;

-- name: add_intent(id, members, target, old, new, epoch, created_at, checkouts, state, version)!
INSERT INTO intents (id, members, target, old, new, epoch, created_at, checkouts, state, version)
VALUES (:id, :members, :target, :old, :new, :epoch, :created_at, :checkouts, :state, :version);

-- name: intents(states)
SELECT * FROM intents WHERE :states IS NULL OR state IN (SELECT value FROM json_each(:states)) ORDER BY seq;

-- name: write_intent(id, was_state, was_version, members, target, old, new, epoch, created_at, checkouts, state, version)!
UPDATE intents SET
    members = :members, target = :target, old = :old, new = :new, epoch = :epoch, created_at = :created_at,
    checkouts = :checkouts, state = :state, version = :version
WHERE id = :id AND state = :was_state AND version = :was_version;
