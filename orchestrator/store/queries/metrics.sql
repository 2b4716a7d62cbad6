-- name: events(after, until, since)
SELECT 'event' AS name, event AS label, COUNT(*) AS times, 0.0 AS seconds FROM events
WHERE sequence > :after AND sequence <= :until AND ts >= :since
GROUP BY event;

-- Words of others may hold what is not Unicode, which Python takes as bytes alone.
-- name: labels(after, until, since)
SELECT 'label' AS name, CAST(j.value AS BLOB) AS label, COUNT(*) AS times,
       COALESCE(SUM(json_extract(e.data, '$.seconds')), 0.0) AS seconds
FROM events AS e, json_each(e.data, '$.labels') AS j
WHERE e.event = 'task.completed' AND e.sequence > :after AND e.sequence <= :until AND e.ts >= :since
GROUP BY j.value;

-- A wait ends with the next such event of its plan in the run, or with one of the whole run.
-- name: waits(after, since)
SELECT w.sequence, w.ts, CAST(json_extract(w.data, '$.reason.code') AS BLOB) AS code,
       (SELECT n.ts FROM events AS n
        WHERE n.run = w.run AND n.sequence > w.sequence AND COALESCE(n.plan, w.plan) = w.plan
          AND n.event IN ('plan.waiting', 'plan.deferred', 'plan.preparing', 'plan.started', 'plan.prepared',
                          'plan.skipped', 'plan.cancelled', 'plan.failed', 'plan.lost', 'plan.landed',
                          'entry.queued', 'run.interrupted', 'run.finished')
        ORDER BY n.sequence LIMIT 1) AS ended
FROM events AS w
WHERE w.event IN ('plan.waiting', 'plan.deferred') AND w.sequence > :after AND w.ts >= :since
  AND w.run IS NOT NULL
ORDER BY w.sequence;

-- name: last()^
SELECT COALESCE(MAX(sequence), 0) AS sequence FROM events;

-- name: last_before(before)^
SELECT COALESCE(MAX(sequence), 0) AS sequence FROM events WHERE ts < :before;

-- name: totals()
SELECT name, label, times, seconds FROM totals;

-- name: add_total(name, label, times, seconds)!
INSERT INTO totals (name, label, times, seconds) VALUES (:name, :label, :times, :seconds)
ON CONFLICT (name, label) DO UPDATE SET
    times = times + excluded.times, seconds = seconds + excluded.seconds;

-- name: spans(since)
SELECT 'plan' AS kind, '' AS label, (julianday(finished_at) - julianday(started_at)) * 86400.0 AS seconds
FROM attempts
WHERE started_at IS NOT NULL AND finished_at >= :since
  AND (state IN ('finished', 'queued', 'landed', 'conflicted', 'rejected') OR (state = 'cancelled' AND exit_code = 0))
UNION ALL
SELECT 'queue', '', (julianday(finished_at) - julianday(queued_at)) * 86400.0
FROM entries WHERE state = 'landed' AND finished_at >= :since
UNION ALL
SELECT 'check', CASE passed WHEN 1 THEN 'green' WHEN 0 THEN 'red' ELSE 'none' END, seconds
FROM verdicts WHERE finished_at >= :since
UNION ALL
SELECT 'task', '', duration_seconds
FROM tasks WHERE duration_seconds IS NOT NULL AND completed_at >= :since;

-- name: attempts(since)
SELECT state, COUNT(*) AS count FROM attempts
WHERE state IN ('landed', 'failed', 'timed_out', 'cancelled', 'lost') AND finished_at >= :since
GROUP BY state;

-- name: plans()
SELECT state, COUNT(*) AS count FROM attempts
WHERE seq IN (SELECT MAX(seq) FROM attempts GROUP BY plan)
GROUP BY state;

-- name: first()^
SELECT queued_at FROM entries ORDER BY sequence LIMIT 1;

-- name: tasks_by_session(since)
SELECT claimed_by AS session, COUNT(*) AS tasks, SUM(COALESCE(duration_seconds, 0.0)) AS seconds
FROM tasks WHERE state = 'completed' AND claimed_by IS NOT NULL AND completed_at >= :since
GROUP BY claimed_by;

-- name: landings_by_session(since)
SELECT r.session AS session, COUNT(*) AS landed
FROM attempts AS a JOIN runs AS r ON r.id = a.run JOIN entries AS e ON e.id = a.entry
WHERE a.state = 'landed' AND e.finished_at >= :since
GROUP BY r.session;
