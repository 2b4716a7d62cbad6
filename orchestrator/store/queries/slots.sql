-- name: add(name, path, purpose, state, session, attempt, plan, detail, changed_at, version)!
INSERT INTO slots (name, path, purpose, state, session, attempt, plan, detail, changed_at, version)
VALUES (:name, :path, :purpose, :state, :session, :attempt, :plan, :detail, :changed_at, :version);

-- name: get(name)^
SELECT * FROM slots WHERE name = :name;

-- name: find(purpose, states)
SELECT * FROM slots
WHERE (:purpose IS NULL OR purpose = :purpose)
  AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
ORDER BY name;

-- name: write(name, was_state, was_version, path, purpose, state, session, attempt, plan, detail, changed_at, version)!
UPDATE slots SET
    path = :path, purpose = :purpose, state = :state, session = :session, attempt = :attempt, plan = :plan,
    detail = :detail, changed_at = :changed_at, version = :version
WHERE name = :name AND state = :was_state AND version = :was_version;
