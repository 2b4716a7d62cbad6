-- A landing may bring several entries at once: {entry: the commit that its landed reference is to name}.
ALTER TABLE intents ADD COLUMN members TEXT NOT NULL DEFAULT '{}';
UPDATE intents SET members = json_object(entry, new);
ALTER TABLE intents DROP COLUMN entry;
-- What the plan of an entry says it reads, as patterns: for lanes.
ALTER TABLE entries ADD COLUMN reads TEXT NOT NULL DEFAULT '[]';
