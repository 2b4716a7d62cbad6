-- Whose age in the queue an entry has: the number of an earlier one that it stands for, 0 for its own.
ALTER TABLE entries ADD COLUMN arrival INTEGER NOT NULL DEFAULT 0;
