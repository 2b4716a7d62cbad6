"""What ``metrics`` is made of: counts, seconds and spans of time, from events and tables.

Events are pruned, and a counter must never fall: before they go, what they say is added to ``totals``. What
lies behind the mark is read from events each time. A wait belongs to the event that began it; the mark never
passes one that has not ended, unless its event is pruned: then it is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MARK: Final = "metrics.mark"
"""The named value with the number of the last event that is in the totals."""
BEGINS: Final = frozenset({"plan.waiting", "plan.deferred"})
"""What begins a wait, with its reason."""
ENDS: Final = frozenset(
    {
        *(*BEGINS, "plan.preparing", "plan.started", "plan.prepared", "plan.skipped", "plan.cancelled"),
        *("plan.failed", "plan.lost", "plan.landed", "entry.queued", "run.interrupted", "run.finished"),
    }
)
"""What ends a wait, of the same plan or without one."""
TERMINAL: Final = frozenset({"landed", "failed", "timed_out", "cancelled", "lost"})
RAN: Final = frozenset({"finished", "queued", "landed", "conflicted", "rejected"})
"""States of attempts whose command came to its good end; so did one that was cancelled after exit 0 (an
entry that was dropped): what was counted once stays counted."""


class Sum(NamedTuple):
    """How often, and how long in all. ``name``: ``event``, ``wait`` (by reason) or ``label`` (of tasks)."""

    name: str
    label: str
    times: int
    seconds: float


class Span(NamedTuple):
    """How long one thing took. ``kind``: ``plan``, ``queue``, ``check`` (by verdict) or ``task``."""

    kind: str
    label: str
    seconds: float


class Waited(NamedTuple):
    """A wait as events tell it: when it began, why, and when it ended; None as long as it has not."""

    sequence: int
    ts: str
    code: str | None
    ended: str | None


class Wait(NamedTuple):
    """A wait that has ended: the number of the event that began it, its reason, and how long."""

    sequence: int
    code: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """What one session has done: tasks and the seconds they took, plans of its runs that landed."""

    session: str
    tasks: int = 0
    seconds: float = 0.0
    landed: int = 0


class Measures(Protocol):
    """Counts and spans; with ``since`` (a time) only of what happened from then on."""

    def sums(self, since: str | None = None) -> Sequence[Sum]:
        """Events by name, waits by reason, completed tasks by label; pruned events count as well."""

    def sum_up(self, *, before: str = "") -> None:
        """Add what is settled to the totals, and in any case what happened ``before``."""

    def spans(self, since: str | None = None) -> Sequence[Span]:
        """How long plans, entries that landed, checks and tasks took that ended."""

    def ended_attempts(self, since: str | None = None) -> Mapping[str, int]:
        """Attempts that are over for good, by state."""

    def plan_states(self) -> Mapping[str, int]:
        """Plans by the state of their newest attempt."""

    def first_queued(self) -> str | None:
        """When the first entry came to the queue; None when there was none."""

    def work(self, since: str | None = None) -> Sequence[Work]:
        """What sessions have done, by session."""


def waits(found: Iterable[Waited]) -> tuple[list[Wait], int | None]:
    """Waits that have ended, and the number of the first event that began one which has not.

    By wall time: where that was set back in between, no time at all.
    """
    ended, unsettled = [], None
    for sequence, ts, code, end in found:
        if end is None:
            unsettled = sequence if unsettled is None else min(unsettled, sequence)
        else:
            passed = datetime.fromisoformat(end) - datetime.fromisoformat(ts)
            ended.append(Wait(sequence, code or "", max(0.0, passed.total_seconds())))
    return ended, unsettled


def added(sums: Iterable[Sum]) -> list[Sum]:
    """One sum a name and label, in their order."""
    found: dict[tuple[str, str], Sum] = {}
    for one in sums:
        so_far = found.get(one[:2], Sum(one.name, one.label, 0, 0.0))
        found[one[:2]] = one._replace(times=one.times + so_far.times, seconds=one.seconds + so_far.seconds)
    return [found[key] for key in sorted(found)]


def legible(text: str) -> str:
    r"""``text`` with what is not Unicode (a label in bytes of another encoding) written as ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode()
