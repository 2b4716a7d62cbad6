"""Counts and spans in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from orchestrator.clock import seconds_between
from orchestrator.states import AttemptState, EntryState, TaskState
from orchestrator.store.measures import (
    BEGINS,
    ENDS,
    MARK,
    RAN,
    TERMINAL,
    Span,
    Sum,
    Waited,
    Work,
    added,
    legible,
    waits,
)
from orchestrator.store.memory.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.store.records import StoredEvent

_VERDICTS = {True: "green", False: "red", None: "none"}


class MemoryMeasures(Tables):
    """See :class:`orchestrator.store.measures.Measures`."""

    def sums(self, since: str | None = None) -> Sequence[Sum]:
        """See the protocol."""
        with self._lock:
            if since is not None:
                return added(self._counted(0, self.last_event(), since)[0])
            return added([*self._all_sums(), *self._counted(self._mark(), self.last_event(), "")[0]])

    def sum_up(self, *, before: str = "") -> None:
        """See the protocol."""
        with self._lock:
            after, last = self._mark(), self.last_event()
            _, unsettled = self._counted(after, last, "")
            old = max((e.sequence for e in self._data["events"].values() if e.ts < before), default=0)
            until = max(after, last if unsettled is None else unsettled - 1, old)
            sums = added([*self._all_sums(), *self._counted(after, until, "")[0]])
            self._writing("totals").update({one[:2]: one for one in sums})
            self._writing("values")[MARK] = str(until)

    def spans(self, since: str | None = None) -> Sequence[Span]:
        """See the protocol."""
        with self._lock:
            return [span for at, span in self._spans() if at >= (since or "")]

    def ended_attempts(self, since: str | None = None) -> Mapping[str, int]:
        """See the protocol."""
        ended = self._all(
            "attempts", lambda a: a.state in TERMINAL and (a.finished_at or "") >= (since or "")
        )
        return Counter(str(a.state) for a in ended if a.finished_at)

    def plan_states(self) -> Mapping[str, int]:
        """See the protocol."""
        newest = {attempt.plan: attempt.state for attempt in self._all("attempts")}
        return Counter(str(state) for state in newest.values())

    def first_queued(self) -> str | None:
        """See the protocol."""
        return next((entry.queued_at for entry in self._all("entries")), None)

    def work(self, since: str | None = None) -> Sequence[Work]:
        """See the protocol."""
        with self._lock:
            tasks: defaultdict[str, list[float]] = defaultdict(list)
            for task in self._all("tasks", lambda t: t.state is TaskState.COMPLETED and t.claimed_by):
                if (task.completed_at or "") >= (since or ""):
                    tasks[task.claimed_by].append(task.duration_seconds or 0.0)
            runs, entries = self._data["runs"], self._data["entries"]
            landed: Counter[str] = Counter()
            for attempt in self._all("attempts", lambda a: a.state == "landed" and a.entry in entries):
                if (entries[attempt.entry].finished_at or "") >= (since or ""):
                    landed[runs[attempt.run].session] += 1
            keys = sorted({*tasks, *landed})
            return [Work(key, len(tasks[key]), sum(tasks[key]), landed[key]) for key in keys]

    def _spans(self) -> Iterator[tuple[str, Span]]:
        for a in self._data["attempts"].values():
            ran = a.state in RAN or (a.state is AttemptState.CANCELLED and a.exit_code == 0)
            if a.started_at and a.finished_at and ran:
                yield a.finished_at, Span("plan", "", seconds_between(a.started_at, a.finished_at))
        for e in self._data["entries"].values():
            if e.state is EntryState.LANDED and e.finished_at:
                yield e.finished_at, Span("queue", "", seconds_between(e.queued_at, e.finished_at))
        for v in self._data["verdicts"].values():
            yield v.finished_at, Span("check", _VERDICTS[v.passed], v.seconds)
        for t in self._data["tasks"].values():
            if t.completed_at and t.duration_seconds is not None:
                yield t.completed_at, Span("task", "", t.duration_seconds)

    def _counted(self, after: int, until: int, since: str) -> tuple[list[Sum], int | None]:
        events = [e for e in self._data["events"].values() if e.sequence > after and e.ts >= since]
        begun = (e for e in events if e.event in BEGINS and e.run)
        ended, unsettled = waits(Waited(e.sequence, e.ts, _code(e), self._end_of(e)) for e in begun)
        sums = [Sum("wait", wait.code, 1, wait.seconds) for wait in ended if wait.sequence <= until]
        for event in (e for e in events if e.sequence <= until):
            sums.append(Sum("event", event.event, 1, 0.0))
            if event.event == "task.completed":
                labels, seconds = event.data.get("labels", ()), event.data.get("seconds") or 0.0
                sums += [Sum("label", legible(label), 1, seconds) for label in labels]
        return sums, unsettled

    def _end_of(self, begun: StoredEvent) -> str | None:
        later = (
            e for e in self._data["events"].values() if e.sequence > begun.sequence and e.run == begun.run
        )
        return next((e.ts for e in later if e.event in ENDS and e.plan in {None, begun.plan}), None)

    def _all_sums(self) -> list[Sum]:
        return list(self._data["totals"].values())

    def _mark(self) -> int:
        return int(self._data["values"].get(MARK) or 0)

    def last_event(self) -> int:
        """See the protocol."""
        with self._lock:
            return max(self._data["events"], default=0)


def _code(event: StoredEvent) -> str | None:
    code: str | None = event.data.get("reason", {}).get("code")
    return None if code is None else legible(code)
