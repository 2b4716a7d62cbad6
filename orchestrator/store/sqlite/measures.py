"""Counts and spans on SQLite: added up by the database where it can, and only waits row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.store.measures import MARK, Span, Sum, Waited, Work, added, legible, waits
from orchestrator.store.sqlite.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class SqliteMeasures(Tables):
    """See :class:`orchestrator.store.measures.Measures`."""

    def sums(self, since: str | None = None) -> Sequence[Sum]:
        """See the protocol."""
        with self._db.reading():
            if since is not None:
                return added(self._counted(0, self.last_event(), since)[0])
            totals = [Sum(*row) for row in self._db.query.rows("metrics.totals")]
            return added([*totals, *self._counted(self._mark(), self.last_event(), "")[0]])

    def sum_up(self, *, before: str = "") -> None:
        """See the protocol."""
        with self._db.transaction():
            after, last = self._mark(), self.last_event()
            _, unsettled = self._counted(after, last, "")
            row = self._db.query.row("metrics.last_before", before=before)
            until = max(after, last if unsettled is None else unsettled - 1, row["sequence"] if row else 0)
            for one in added(self._counted(after, until, "")[0]):
                self._db.query.change("metrics.add_total", **one._asdict())
            self._db.query.change("events.set_value", key=MARK, value=str(until))

    def spans(self, since: str | None = None) -> Sequence[Span]:
        """See the protocol."""
        with self._db.reading():
            return [Span(*row) for row in self._db.query.rows("metrics.spans", since=since or "")]

    def ended_attempts(self, since: str | None = None) -> Mapping[str, int]:
        """See the protocol."""
        with self._db.reading():
            rows = self._db.query.rows("metrics.attempts", since=since or "")
        return {row["state"]: row["count"] for row in rows}

    def plan_states(self) -> Mapping[str, int]:
        """See the protocol."""
        with self._db.reading():
            return {row["state"]: row["count"] for row in self._db.query.rows("metrics.plans")}

    def first_queued(self) -> str | None:
        """See the protocol."""
        with self._db.reading():
            row = self._db.query.row("metrics.first")
        return None if row is None else str(row["queued_at"])

    def work(self, since: str | None = None) -> Sequence[Work]:
        """See the protocol."""
        with self._db.reading():
            tasks = self._db.query.rows("metrics.tasks_by_session", since=since or "")
            landings = self._db.query.rows("metrics.landings_by_session", since=since or "")
        found = {row["session"]: Work(row["session"], row["tasks"], row["seconds"]) for row in tasks}
        for row in landings:
            found[row["session"]] = replace(
                found.get(row["session"], Work(row["session"])), landed=row["landed"]
            )
        return [found[key] for key in sorted(found)]

    def _counted(self, after: int, until: int, since: str) -> tuple[list[Sum], int | None]:
        """Sums of what events in that range say, and where the first wait began that has not ended."""
        where = {"after": after, "until": until, "since": since}
        sums = [Sum(*row) for row in self._db.query.rows("metrics.events", **where)]
        labels = self._db.query.rows("metrics.labels", **where)
        sums += [Sum(row[0], _text(row[1]), row[2], row[3]) for row in labels]
        rows = self._db.query.rows("metrics.waits", after=after, since=since)
        ended, unsettled = waits(Waited(*row)._replace(code=_text(row["code"])) for row in rows)
        sums += [Sum("wait", wait.code, 1, wait.seconds) for wait in ended if wait.sequence <= until]
        return sums, unsettled

    def _mark(self) -> int:
        row = self._db.query.row("events.value", key=MARK)
        return int(row["value"]) if row else 0

    def last_event(self) -> int:
        """See the protocol."""
        with self._db.reading():
            row = self._db.query.row("metrics.last")
        return int(row["sequence"]) if row else 0


def _text(value: bytes | None) -> str:
    return legible((value or b"").decode("utf-8", "surrogatepass"))
