-- name: grant(name, token, session, boot, expires, acquired_at, purpose)!
INSERT INTO leases (name, token, session, boot, expires, acquired_at, purpose)
VALUES (:name, :token, :session, :boot, :expires, :acquired_at, :purpose)
ON CONFLICT (name) DO UPDATE SET
    token = excluded.token, session = excluded.session, boot = excluded.boot, expires = excluded.expires,
    acquired_at = excluded.acquired_at, purpose = excluded.purpose;

-- name: last(name)^
-- Granted or released: the row that knows the last token.
SELECT * FROM leases WHERE name = :name;

-- name: get(name)^
SELECT * FROM leases WHERE name = :name AND session IS NOT NULL;

-- name: find()
SELECT * FROM leases WHERE session IS NOT NULL ORDER BY name;

-- name: renew(name, session, token, expires)!
UPDATE leases SET expires = :expires WHERE name = :name AND session = :session AND token = :token;

-- name: release(name, session, token)!
UPDATE leases SET session = NULL WHERE name = :name AND session = :session AND token = :token;
