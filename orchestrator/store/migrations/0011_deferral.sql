-- An attempt whose command asked to be run again later: until when, how often it was held, who said what.
ALTER TABLE attempts ADD COLUMN deferral TEXT NOT NULL DEFAULT '{}';
DROP INDEX attempts_one_at_a_time;
CREATE UNIQUE INDEX attempts_one_at_a_time ON attempts (run, plan)
    WHERE state IN ('pending', 'waiting', 'preparing', 'running', 'deferred', 'prepared', 'finished', 'queued');
