"""Runs, attempts and completed phases in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.errors import StaleRecordError, UnknownRecordError
from orchestrator.states import ATTEMPT, RUN, AttemptState, RunState
from orchestrator.store.looks import AT_WORK, UNENDED
from orchestrator.store.memory.tables import Tables, among, fresh
from orchestrator.store.rules import FINISHED_ATTEMPTS, LOCKING_ATTEMPTS, median_seconds, moved, updated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestrator.store.records import Attempt, PhaseDone, RunRecord


class MemoryRuns(Tables):
    """See :class:`orchestrator.store.protocol.Runs`."""

    def add_run(self, run: RunRecord) -> None:
        """See the protocol."""
        self._add("runs", run.id, run)

    def run(self, key: str) -> RunRecord | None:
        """See the protocol."""
        found: RunRecord | None = self._one("runs", key)
        return found

    def runs(self, states: Collection[RunState] | None = None) -> Sequence[RunRecord]:
        """See the protocol."""
        return self._all("runs", lambda r: among(r.state, states))

    def move_run(self, run: RunRecord, to: RunState, **changes: Any) -> RunRecord:
        """See the protocol."""
        return self._write("runs", run.id, run, moved(run, to, changes, RUN))

    def add_attempt(self, attempt: Attempt) -> None:
        """See the protocol."""
        with self._lock:
            same = self._of(attempt)
            if any(a.number == attempt.number for a in same):
                raise StaleRecordError("attempt", attempt.id)
            self._require_alone(attempt, same)
            if attempt.run not in self._data["runs"]:
                raise UnknownRecordError("attempt", attempt.id, f"run {attempt.run}")
            self._add("attempts", attempt.id, attempt)

    def _of(self, attempt: Attempt) -> Sequence[Attempt]:
        subject = (attempt.run, attempt.plan)
        return [a for a in self._data["attempts"].values() if (a.run, a.plan) == subject]

    def _require_alone(self, attempt: Attempt, same: Sequence[Attempt]) -> None:
        """What the partial unique index does on SQLite."""
        others = (a for a in same if a.id != attempt.id)
        if attempt.state in LOCKING_ATTEMPTS and any(a.state in LOCKING_ATTEMPTS for a in others):
            raise StaleRecordError("attempt", attempt.id)

    def attempt(self, key: str) -> Attempt | None:
        """See the protocol."""
        found: Attempt | None = self._one("attempts", key)
        return found

    def attempts(
        self,
        *,
        run: str | None = None,
        plan: str | None = None,
        states: Collection[AttemptState] | None = None,
    ) -> Sequence[Attempt]:
        """See the protocol."""
        return self._all(
            "attempts",
            lambda a: run in {None, a.run} and plan in {None, a.plan} and among(a.state, states),
        )

    def attempts_since(self, run: str, mark: int) -> tuple[Sequence[Attempt], int]:
        """See the protocol."""
        with self._lock:
            later = set(list(self._data["attempts"])[mark:])
            found = self._all("attempts", lambda a: a.run == run and (a.state in UNENDED or a.id in later))
            return found, len(self._data["attempts"])

    def attempts_at_work(self, run: str, since: str) -> Sequence[Attempt]:
        """See the protocol."""

        def counts(attempt: Attempt) -> bool:
            finished = bool(attempt.started_at) and (attempt.finished_at or "") >= since
            return attempt.run == run and (attempt.state in AT_WORK or finished)

        return self._all("attempts", counts)

    def latest_attempts(self) -> Sequence[Attempt]:
        """See the protocol."""
        latest = {attempt.plan: attempt for attempt in self._all("attempts")}
        return [latest[plan] for plan in sorted(latest)]

    def move_attempt(self, attempt: Attempt, to: AttemptState, **changes: Any) -> Attempt:
        """See the protocol."""
        after = moved(attempt, to, changes, ATTEMPT)
        with self._lock:
            self._require_alone(after, self._of(after))
            return self._write("attempts", attempt.id, attempt, after)

    def update_attempt(self, attempt: Attempt, **changes: Any) -> Attempt:
        """See the protocol."""
        return self._write("attempts", attempt.id, attempt, updated(attempt, changes))

    def complete_phase(self, done: PhaseDone) -> None:
        """See the protocol."""
        with self._lock:
            self._writing("phases")[done.plan, done.phase] = fresh(done)

    def phases_done(self, plan: str | None = None) -> Sequence[PhaseDone]:
        """See the protocol."""
        return self._all("phases", lambda done: plan in {None, done.plan})

    def durations(self) -> Mapping[str, float]:
        """See the protocol."""
        found = self.attempts(states=FINISHED_ATTEMPTS)
        return median_seconds(
            (a.plan, a.started_at, a.finished_at) for a in found if a.started_at and a.finished_at
        )
