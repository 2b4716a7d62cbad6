-- name: grant(name, token, session, boot, expires, acquired_at, purpose, scope, branch, patterns, since)!
INSERT INTO leases (name, token, session, boot, expires, acquired_at, purpose, scope, branch, patterns, since)
VALUES (:name, :token, :session, :boot, :expires, :acquired_at, :purpose, :scope, :branch, :patterns, :since);

-- name: next_token(name)^
-- Of a store that was made for a lost one, above all that any other has given.
INSERT INTO lease_tokens (name, token)
VALUES (:name, 1 + coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'lease-floor'), 0))
ON CONFLICT (name) DO UPDATE SET token = token + 1
RETURNING token;

-- name: get(name)^
SELECT * FROM leases WHERE name = :name ORDER BY seq LIMIT 1;

-- name: find(name, session)
SELECT * FROM leases
WHERE (:name IS NULL OR name = :name) AND (:session IS NULL OR session = :session)
ORDER BY name, seq;

-- name: renew(name, session, token, expires)!
UPDATE leases SET expires = :expires WHERE name = :name AND session = :session AND token = :token;

-- name: renew_all(session, boot, expires)!
UPDATE leases SET expires = max(expires, :expires) WHERE session = :session AND boot = :boot;

-- name: release(name, session, token)!
DELETE FROM leases WHERE name = :name AND session = :session AND token = :token;

-- name: add_wait(name, session, boot, expires, asked_at, asked, scope, branch, patterns, priority, purpose, pid, process_started, host)<!
INSERT INTO lease_waits (name, session, boot, expires, asked_at, asked, scope, branch, patterns, priority, purpose, pid, process_started, host)
VALUES (:name, :session, :boot, :expires, :asked_at, :asked, :scope, :branch, :patterns, :priority, :purpose, :pid, :process_started, :host);

-- name: keep_wait(ticket, expires)!
UPDATE lease_waits SET expires = :expires WHERE ticket = :ticket;

-- name: waits(name)
SELECT * FROM lease_waits WHERE :name IS NULL OR name = :name ORDER BY ticket;

-- name: drop_wait(ticket)!
DELETE FROM lease_waits WHERE ticket = :ticket;

-- name: drop_waits_of(session)!
DELETE FROM lease_waits WHERE session = :session;

-- name: add_note(at, action, name, scope, branch, patterns, session, token, seconds, detail)<!
INSERT INTO lease_notes (at, action, name, scope, branch, patterns, session, token, seconds, detail)
VALUES (:at, :action, :name, :scope, :branch, :patterns, :session, :token, :seconds, :detail);

-- name: notes(name, action, limit)
SELECT * FROM lease_notes
WHERE (:name IS NULL OR name = :name) AND (:action IS NULL OR action = :action)
ORDER BY sequence DESC LIMIT :limit;

-- name: prune_notes(before)!
DELETE FROM lease_notes WHERE at < :before;
