"""What every store decides alike, as pure functions: moves, grants, what may not be there twice.

Both stores call these, so that they cannot drift apart; the contract suite holds them to it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from orchestrator.clock import seconds_between
from orchestrator.errors import IllegalTransitionError
from orchestrator.states import ACTIVE_ATTEMPTS, TERMINAL_ATTEMPTS, AttemptState, require_transition
from orchestrator.store.scopes import is_over, stands_against

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.store.leaserecords import Lease

_FIXED: Final = frozenset({"id", "version", "state"})
_FIXED_OF: Final = {
    "Attempt": _FIXED | {"run", "plan", "number"},
    "Entry": _FIXED | {"plan", "sequence", "arrival"},
    "Slot": _FIXED | {"name"},
    "Delivery": _FIXED | {"channel", "kind", "subject", "code", "notice", "at"},
    "TaskRecord": _FIXED | {"plan", "task"},
}
"""Fields that no write changes: what a record is, and what guards it."""

LOCKING_ATTEMPTS: Final = ACTIVE_ATTEMPTS | {AttemptState.PENDING, AttemptState.WAITING}
"""Of the attempts at one plan in one run, one at most is in any of these states."""
FINISHED_ATTEMPTS: Final = frozenset(
    {
        AttemptState.FINISHED,
        AttemptState.QUEUED,
        AttemptState.LANDED,
        AttemptState.CONFLICTED,
        AttemptState.REJECTED,
    }
)
"""The command came to its end with success: its duration says something about the next one."""


class Guarded(Protocol):
    """A record with a state and the version that guards its writes."""

    @property
    def state(self) -> Any:
        """Where it stands."""

    @property
    def version(self) -> int:
        """Rises by one with each write."""


_Record = TypeVar("_Record", bound=Guarded)


def kind_of(record: object) -> str:
    """What the record is called in messages."""
    return type(record).__name__.removesuffix("Record").lower()


def moved(
    record: _Record, to: Any, changes: Mapping[str, Any], table: Mapping[Any, frozenset[Any]]
) -> _Record:
    """``record`` moved to ``to`` with ``changes``; IllegalTransitionError when ``table`` forbids it."""
    require_transition(table, record.state, to, kind_of(record))
    return _written(record, changes, state=to)


def updated(record: _Record, changes: Mapping[str, Any]) -> _Record:
    """``record`` after a write within its state; IllegalTransitionError for an attempt that has ended.

    Who has read one of those need not read it again.
    """
    if record.state in TERMINAL_ATTEMPTS and kind_of(record) == "attempt":
        raise IllegalTransitionError(kind_of(record), record.state, record.state)
    return _written(record, changes)


def _written(record: _Record, changes: Mapping[str, Any], **state: Any) -> _Record:
    fixed = _FIXED_OF.get(type(record).__name__, _FIXED) & changes.keys()
    if fixed:
        raise ValueError(f"fixed when the {kind_of(record)} is made: {', '.join(sorted(fixed))}")
    return replace(record, **changes, **state, version=record.version + 1)  # type: ignore[type-var]


def grantable(held: Iterable[Lease], wanted: Lease, now: float) -> bool:
    """Whether nothing of what is ``held`` of the name is in the way of ``wanted``."""
    return not any(
        stands_against(lease, wanted) and not is_over(lease, now=now, boot=wanted.boot) for lease in held
    )


def through_json(value: Any) -> Any:
    """``value`` as it comes back from JSON (tuples become lists); TypeError when JSON cannot hold it."""
    return json.loads(json.dumps(value))


def median_seconds(spans: Iterable[tuple[str, str, str]]) -> dict[str, float]:
    """Median seconds per plan of ``(plan, started_at, finished_at)``."""
    seconds: dict[str, list[float]] = {}
    for plan, start, finish in spans:
        seconds.setdefault(plan, []).append(max(0.0, seconds_between(start, finish)))
    return {plan: _median(sorted(found)) for plan, found in sorted(seconds.items())}


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
