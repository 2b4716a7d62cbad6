"""Runs, attempts and completed phases on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.states import ATTEMPT, RUN, AttemptState, RunState
from orchestrator.store.looks import AT_WORK, UNENDED
from orchestrator.store.records import Attempt, PhaseDone, RunRecord
from orchestrator.store.rules import FINISHED_ATTEMPTS, median_seconds
from orchestrator.store.sqlite.codec import Codec, names
from orchestrator.store.sqlite.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_RUN: Final = Codec(
    RunRecord, RunState, RUN, "runs.write", mappings=frozenset({"options"}), tuples=frozenset({"plans"})
)
_ATTEMPT: Final = Codec(
    Attempt,
    AttemptState,
    ATTEMPT,
    "attempts.write",
    mappings=frozenset({"reason", "deferral"}),
    tuples=frozenset({"stacked_on", "drift", "holds"}),
    flags=frozenset({"counted"}),
)
_PHASE: Final = Codec(PhaseDone)


class SqliteRuns(Tables):
    """See :class:`orchestrator.store.protocol.Runs`."""

    def add_run(self, run: RunRecord) -> None:
        """See the protocol."""
        self._add(_RUN, "runs.add", run, run.id)

    def run(self, key: str) -> RunRecord | None:
        """See the protocol."""
        return self._one(_RUN, "runs.get", id=key)

    def runs(self, states: Collection[RunState] | None = None) -> Sequence[RunRecord]:
        """See the protocol."""
        return self._all(_RUN, "runs.find", states=names(states))

    def move_run(self, run: RunRecord, to: RunState, **changes: Any) -> RunRecord:
        """See the protocol."""
        return self._move(_RUN, run, to, changes)

    def add_attempt(self, attempt: Attempt) -> None:
        """See the protocol."""
        self._add(_ATTEMPT, "attempts.add", attempt, attempt.id, f"run {attempt.run}")

    def attempt(self, key: str) -> Attempt | None:
        """See the protocol."""
        return self._one_kept(_ATTEMPT, "attempts.get", id=key)

    def attempts(
        self,
        *,
        run: str | None = None,
        plan: str | None = None,
        states: Collection[AttemptState] | None = None,
    ) -> Sequence[Attempt]:
        """See the protocol."""
        if plan is not None:
            return self._all(_ATTEMPT, "attempts.of_plan", run=run, plan=plan, states=names(states))
        if states is not None:
            return self._all(_ATTEMPT, "attempts.in_states", run=run, states=names(states))
        return self._all(_ATTEMPT, "attempts.find", run=run)

    def attempts_since(self, run: str, mark: int) -> tuple[Sequence[Attempt], int]:
        """See the protocol."""
        with self._db.reading():  # first: what is added between the two is read twice, not left out
            newest = self._db.query.row("attempts.mark")
        found = self._all(_ATTEMPT, "attempts.since", run=run, mark=mark, states=names(UNENDED))
        return found, newest["mark"] if newest is not None else 0

    def attempts_at_work(self, run: str, since: str) -> Sequence[Attempt]:
        """See the protocol."""
        return self._all(_ATTEMPT, "attempts.at_work", run=run, since=since, states=names(AT_WORK))

    def latest_attempts(self) -> Sequence[Attempt]:
        """See the protocol."""
        return self._all(_ATTEMPT, "attempts.latest")

    def move_attempt(self, attempt: Attempt, to: AttemptState, **changes: Any) -> Attempt:
        """See the protocol."""
        return self._move(_ATTEMPT, attempt, to, changes)

    def update_attempt(self, attempt: Attempt, **changes: Any) -> Attempt:
        """See the protocol."""
        return self._update(_ATTEMPT, attempt, changes)

    def complete_phase(self, done: PhaseDone) -> None:
        """See the protocol."""
        self._add(_PHASE, "runs.complete_phase", done, f"{done.plan}.{done.phase}")

    def phases_done(self, plan: str | None = None) -> Sequence[PhaseDone]:
        """See the protocol."""
        return self._all(_PHASE, "runs.phases_done", plan=plan)

    def durations(self) -> Mapping[str, float]:
        """See the protocol."""
        with self._db.reading():
            rows = self._db.query.rows("attempts.spans", states=names(FINISHED_ATTEMPTS))
            return median_seconds((row["plan"], row["started_at"], row["finished_at"]) for row in rows)
