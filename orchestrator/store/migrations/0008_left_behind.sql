-- Worktrees in which a session that was found dead had tasks, until what it left there has been looked after.
ALTER TABLE sessions ADD COLUMN left_behind TEXT NOT NULL DEFAULT '[]';
