"""``queue jump``: a person lifts an entry of the queue by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import UsageError
from orchestrator.merging.jumping import AT_TURN, put_first, remember
from orchestrator.merging.lifting import LIFTED
from orchestrator.merging.viewing import queue_view
from orchestrator.services.entries import require_entry

if TYPE_CHECKING:
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Jumped:
    """``line`` is first in the queue, in this order, the entry that was named the last of it.

    ``awaits``: plans that still keep it from landing; ``is_new``: whether anything was changed. One that is
    ``at_turn`` is alone, where it was, and first once it should wait again.
    """

    line: tuple[Entry, ...]
    awaits: tuple[str, ...] = ()
    is_new: bool = False
    at_turn: bool = False


def jump(bench: Workbench, name: str) -> Jumped:
    """Lift an entry to the head of the queue, and before it what it lands after; what is at work goes on.

    Nothing changes where it is there already. Raises NothingToDoError when there is none of that name,
    UsageError for one that does not wait for its turn, with what it waits for.
    """
    with bench.store.transaction():
        entry = require_entry(bench, name)
        if entry.state in AT_TURN:
            return Jumped((entry,), is_new=remember(bench, entry), at_turn=True)
        if entry.state not in LIFTED:
            detail = entry.reason.get("detail")
            raise UsageError(f"{name} is {entry.state}{f': {detail}' if detail else ''}")
        found = put_first(bench, entry, queue_view(bench, bench.target_tip()))
        return Jumped(found.line, found.awaits, is_new=bool(found.changes))
