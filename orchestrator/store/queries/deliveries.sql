-- name: add(id, channel, kind, subject, code, notice, at, state, session, tries, detail, changed_at, version)!
INSERT INTO deliveries (id, channel, kind, subject, code, notice, at, state, session, tries, detail, changed_at,
                        version)
VALUES (:id, :channel, :kind, :subject, :code, :notice, :at, :state, :session, :tries, :detail, :changed_at,
        :version);

-- name: find(channel, states)
SELECT * FROM deliveries
WHERE (:channel IS NULL OR channel = :channel)
  AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
ORDER BY seq;

-- name: due(channel)
SELECT * FROM deliveries WHERE channel = :channel AND state IN ('pending', 'sending') ORDER BY seq;

-- name: newest(channel, subject)^
SELECT * FROM deliveries WHERE channel = :channel AND subject = :subject ORDER BY seq DESC LIMIT 1;

-- name: write(id, was_state, was_version, state, session, tries, detail, changed_at, version)!
UPDATE deliveries SET
    state = :state, session = :session, tries = :tries, detail = :detail, changed_at = :changed_at,
    version = :version
WHERE id = :id AND state = :was_state AND version = :was_version;

-- name: prune(before)!
DELETE FROM deliveries WHERE changed_at < :before;
