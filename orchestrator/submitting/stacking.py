"""What an entry that stands on other work must land behind, beyond "the plan has landed at some time".

A plan can have landed before and be done again. What is stacked on the second work must not land on the
strength of the first: its merge would make the second work part of the target's history without its content,
and that work would then count as merged already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.states import ACTIVE_ATTEMPTS, MOVING_ENTRIES, AttemptState, EntryState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.store.records import Attempt, Entry
    from orchestrator.workbench import Workbench

_ENDED_BADLY: Final = frozenset({EntryState.REJECTED, EntryState.CONFLICTED, EntryState.DROPPED})
_MAY_LAND: Final = ACTIVE_ATTEMPTS | {AttemptState.CONFLICTED, AttemptState.REJECTED}
_MAY_GO_ON: Final = frozenset(AttemptState) - _MAY_LAND - {AttemptState.LANDED}
"""``retry --continue`` takes up the branch of the newest attempt where it stands."""


def refused_plans(bench: Workbench, plans: Sequence[str]) -> dict[str, str]:
    """Of ``plans``, those whose work was refused last, with what it was; work on its way is not refused."""
    if not plans:
        return {}
    last: dict[str | None, Entry] = {}
    for entry in bench.store.entries(target=bench.target):
        plan = entry.plan
        if plan in plans and (plan not in last or _recency(last[plan]) <= _recency(entry)):
            last[plan] = entry
    return {plan: str(e.state) for plan, e in last.items() if plan and e.state in _ENDED_BADLY}


def _recency(entry: Entry) -> tuple[bool, str, int]:
    """An old head that was handed in once more keeps its place: arrival alone does not tell."""
    return entry.state in MOVING_ENTRIES, entry.finished_at or "", entry.sequence


def unlanded_stacks(bench: Workbench, entries: Sequence[Entry]) -> dict[str, str]:
    """Map each of ``entries`` that stands on work which is still to land to the plan of that work."""
    found: dict[str, str] = {}
    for entry in entries:
        attempt = bench.store.attempt(entry.attempt) if entry.explicit_base and entry.attempt else None
        for plan in entry.after if attempt else ():
            if attempt and any(_is_to_land(bench, plan, pin) for pin in attempt.stacked_on):
                found.setdefault(entry.id, plan)
    return found


def _is_to_land(bench: Workbench, plan: str, pin: str) -> bool:
    """Whether work of ``plan`` that may still land holds ``pin``, and nothing that landed does."""
    objects, store = bench.objects, bench.store
    if not any(_holds(bench, head, pin) for head in _may_land(bench, plan)):
        return False
    landed = store.entries(target=bench.target, states={EntryState.LANDED})
    heads = [e.head for e in landed if e.plan == plan and objects.has_commit(e.head)]
    return not any(objects.is_ancestor(pin, head) for head in heads)


def _may_land(bench: Workbench, plan: str) -> Iterator[str | None]:
    """Where the work of each attempt that may still land stands."""
    attempts = bench.store.attempts(plan=plan)
    for attempt in attempts:
        if attempt.state in _MAY_LAND:
            yield attempt.head or _branch(bench, attempt)
    if attempts and attempts[-1].state in _MAY_GO_ON:
        yield _branch(bench, attempts[-1])


def _branch(bench: Workbench, attempt: Attempt) -> str | None:
    return bench.references.read(f"refs/heads/{attempt.branch}")


def _holds(bench: Workbench, head: str | None, pin: str) -> bool:
    return head is not None and bench.objects.has_commit(head) and bench.objects.is_ancestor(pin, head)
