-- The resource table: what an attempt holds while it is at work, as [{resource, amount, until}].
ALTER TABLE attempts ADD COLUMN holds TEXT NOT NULL DEFAULT '[]';
