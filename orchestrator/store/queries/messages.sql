-- name: add(at, sender, receiver, text, read_at)<!
INSERT INTO messages (at, sender, receiver, text, read_at) VALUES (:at, :sender, :receiver, :text, :read_at);

-- name: unread(receiver)
SELECT * FROM messages WHERE receiver = :receiver AND read_at IS NULL ORDER BY sequence;

-- name: read(receiver, sequence, at)!
UPDATE messages SET read_at = :at WHERE receiver = :receiver AND read_at IS NULL AND sequence <= :sequence;

-- name: prune(before)!
DELETE FROM messages WHERE at < :before;
