"""Figures of a repository: how much lands, how long it takes, what it waits for. Reads the store, no more.

Quantiles are of the very values, by nearest rank: of 20, the 95th percentile is the 19th.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from orchestrator.clock import seconds_between, written
from orchestrator.planning.calibration import calibrated
from orchestrator.planning.remembered import VALUE, read
from orchestrator.states import LIVING_SESSIONS, OPEN_ENTRIES, EntryState, SessionState
from worktrees.mirror import shown_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.clock import Clock
    from orchestrator.planning.calibration import Calibration
    from orchestrator.store.measures import Sum, Work
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Entry, Session

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
IN_QUEUE: Final = tuple(sorted({*OPEN_ENTRIES, EntryState.CONFLICTED, EntryState.RESOLVING}))
"""States of entries that are not through: on their way, or waiting for somebody."""
UNSUCCESSFUL: Final = (EntryState.CONFLICTED, EntryState.REJECTED)
VERDICTS: Final = ("green", "red", "none")
SPANS: Final = ("plan", "queue", "check", "task")


@dataclass(frozen=True, slots=True)
class Spread:
    """How long things took, in seconds; without any there is no median."""

    count: int = 0
    seconds: float = 0.0
    median: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What one session has done; ``tasks_per_hour`` is of the time that it spent on tasks."""

    session: str
    agent: str
    labels: tuple[str, ...]
    tasks: int
    seconds: float
    landed: int

    @property
    def tasks_per_hour(self) -> float | None:
        """None where no task took any time."""
        return per_hour(self.tasks, self.seconds)


@dataclass(frozen=True, slots=True)
class Metrics:
    """One moment. ``events`` counts them by name; ``waits`` and ``labels`` are sums with seconds.

    ``sessions`` are heard of in time; ``living`` all that have not ended. ``estimates`` by target,
    of the last two hundred at most.
    """

    at: str
    since: str | None
    plans: Mapping[str, int]
    ended: Mapping[str, int]
    events: Mapping[str, int]
    waits: Sequence[Sum]
    labels: Sequence[Sum]
    spans: Mapping[str, Spread]
    verdicts: Mapping[str, int]
    queue: Mapping[str, int]
    oldest_seconds: float
    sessions: int
    living: int
    done: Sequence[Done]
    days: float
    estimates: Mapping[str, Calibration]

    def entries(self, state: EntryState) -> int:
        """How often an entry came into ``state``."""
        return self.events.get(f"entry.{state}", 0)

    @property
    def landed_ratio(self) -> float | None:
        """Of entries that were decided, the share that landed; None before the first."""
        landed = self.entries(EntryState.LANDED)
        decided = landed + sum(map(self.entries, UNSUCCESSFUL))
        return landed / decided if decided else None

    @property
    def landings_per_day(self) -> float | None:
        """None where less than a minute is looked at."""
        return self.entries(EntryState.LANDED) / self.days if self.days * DAY > 60 else None  # noqa: PLR2004


def measure(store: Store, clock: Clock, since: str | None = None) -> Metrics:
    """Everything, of what happened since a moment, or of all that is remembered."""
    now = clock.now()
    sums, spans = store.sums(since), defaultdict(list)
    verdicts = dict.fromkeys(VERDICTS, 0)
    for span in store.spans(since):
        spans[span.kind].append(max(0.0, span.seconds))
        if span.kind == "check":
            verdicts[span.label] += 1
    entries = store.entries(states=IN_QUEUE)
    sessions = store.sessions()
    return Metrics(
        at=now,
        since=since,
        plans=store.plan_states(),
        ended=store.ended_attempts(since),
        events={one.label: one.times for one in sums if one.name == "event"},
        waits=[one for one in sums if one.name == "wait"],
        labels=[one for one in sums if one.name == "label"],
        spans={kind: spread(spans[kind]) for kind in SPANS},
        verdicts=verdicts,
        queue={str(state): sum(e.state is state for e in entries) for state in IN_QUEUE},
        oldest_seconds=_age_of_oldest(entries, now),
        sessions=sum(session.state is SessionState.ACTIVE for session in sessions),
        living=sum(session.state in LIVING_SESSIONS for session in sessions),
        done=_done(store.work(since), sessions),
        days=_days(store, now, since),
        estimates=_estimates(store, since),
    )


def _estimates(store: Store, since: str | None) -> Mapping[str, Calibration]:
    """Targets where nothing was decided are left out."""
    found = {
        shown_target(target): calibrated(row.outcome for row in known.past if row.at >= (since or ""))
        for target, known in read(store.value(VALUE)).items()
    }
    return {target: one for target, one in sorted(found.items()) if one.outcomes}


def spread(values: Iterable[float]) -> Spread:
    """How ``values``, in seconds, are spread."""
    ordered = sorted(values)
    if not ordered:
        return Spread()
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    p95 = ordered[math.ceil(len(ordered) * 0.95) - 1]
    return Spread(len(ordered), math.fsum(ordered), median, p95)


def per_hour(times: int, seconds: float) -> float | None:
    """How often in an hour of that time; None when there was none."""
    return times * HOUR / seconds if seconds > 0 else None


def moment(now: str, seconds: float) -> str:
    """The moment that many seconds before ``now``, as the store writes it."""
    return written(datetime.fromisoformat(now) - timedelta(seconds=seconds))


def _age_of_oldest(entries: Sequence[Entry], now: str) -> float:
    return max([0.0, *(seconds_between(entry.queued_at, now) for entry in entries)])


def _done(work: Sequence[Work], sessions: Sequence[Session]) -> list[Done]:
    """Sessions that were pruned have no agent and no labels any more."""
    known = {session.id: session for session in sessions}
    found = []
    for one in work:
        session = known.get(one.session)
        agent, labels = (session.agent, session.labels) if session else ("", ())
        found.append(Done(one.session, agent, labels, one.tasks, one.seconds, one.landed))
    return found


def _days(store: Store, now: str, since: str | None) -> float:
    """How long is looked at: from ``since``, but not from before the first entry came."""
    begin = max(since or "", store.first_queued() or now)
    return max(0.0, seconds_between(begin, now)) / DAY


def metrics_data(metrics: Metrics) -> dict[str, Any]:
    """The figures under the names of the contract; times in seconds."""
    return {
        "at": metrics.at,
        "since": metrics.since,
        "plans": {"states": dict(metrics.plans), "attempts_ended": dict(metrics.ended)},
        "durations": {kind: _spread_data(one) for kind, one in metrics.spans.items()},
        "waits": [{"reason": one.label, "count": one.times, "seconds": one.seconds} for one in metrics.waits],
        "queue": {
            "length": sum(metrics.queue.values()),
            "states": dict(metrics.queue),
            "oldest_seconds": metrics.oldest_seconds,
        },
        "landings": {
            "landed": metrics.entries(EntryState.LANDED),
            "conflicted": metrics.entries(EntryState.CONFLICTED),
            "rejected": metrics.entries(EntryState.REJECTED),
            "held": metrics.entries(EntryState.HELD),
            "blocked": metrics.entries(EntryState.BLOCKED),
            "dropped": metrics.entries(EntryState.DROPPED),
            "landed_ratio": metrics.landed_ratio,
            "per_day": metrics.landings_per_day,
        },
        "estimates": [{"target": name, **asdict(one)} for name, one in metrics.estimates.items()],
        "checks": {
            **metrics.verdicts,
            "reused": metrics.events.get("check.reused", 0),
            "stopped": metrics.events.get("check.stopped", 0),
        },
        "sessions": {
            "active": metrics.sessions,
            "living": metrics.living,
            "done": [
                {
                    "session": one.session,
                    "agent": one.agent,
                    "labels": list(one.labels),
                    "tasks": one.tasks,
                    "task_seconds": one.seconds,
                    "tasks_per_hour": one.tasks_per_hour,
                    "landed": one.landed,
                }
                for one in metrics.done
            ],
        },
        "labels": [
            {
                "label": one.label,
                "tasks": one.times,
                "task_seconds": one.seconds,
                "tasks_per_hour": per_hour(one.times, one.seconds),
            }
            for one in metrics.labels
        ],
    }


def _spread_data(one: Spread) -> dict[str, Any]:
    return {"count": one.count, "seconds": one.seconds, "median": one.median, "p95": one.p95}
