-- name: add(ts, event, run, plan, data)<!
INSERT INTO events (ts, event, run, plan, data) VALUES (:ts, :event, :run, :plan, :data);

-- name: after(sequence, run, limit)
SELECT * FROM events WHERE sequence > :sequence AND (:run IS NULL OR run = :run)
ORDER BY sequence LIMIT :limit;

-- name: prune(before)!
DELETE FROM events WHERE ts < :before;

-- name: value(key)^
SELECT value FROM named_values WHERE key = :key;

-- name: set_value(key, value)!
INSERT INTO named_values (key, value) VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: drop_value(key)!
DELETE FROM named_values WHERE key = :key;

-- name: meta(key)^
SELECT value FROM meta WHERE key = :key;

-- name: set_meta(key, value)!
INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value;
