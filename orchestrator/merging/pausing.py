"""Let the queue stand still, in whole or below a priority, and go on: named values of one target.

Those that others than the queue read are in :mod:`orchestrator.submitting.standstill`; here are, besides:

- ``unverified``: the commit that somebody else brought the target to; it is checked before anything lands.
- ``untold``: such a commit whose check gave no verdict. Waits for the next check, or ends with resume.
- ``tip``: the commit that the queue last knew the target at.
- ``first``: the entry at its turn that a person wants first, should it wait again, and the freeze then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.events import EventName
from orchestrator.states import EntryState
from orchestrator.submitting.standstill import (
    BELOW,
    FROZEN,
    PAUSED,
    RED,
    freeze_of,
    note,
    note_freeze,
    noted,
    standstill,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.clock import Clock
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Entry
    from orchestrator.submitting.standstill import Freeze

UNVERIFIED: Final = "unverified"
UNTOLD: Final = "untold"
TIP: Final = "tip"
FIRST: Final = "first"
SAMPLED: Final = "sampled"
"""A landing by another tree's verdict that is to be checked whole."""
UNPROVEN: Final = "unproven"
"""The first of the landings by other trees' verdicts since the target's own tree had one."""
MERGED: Final = "lanes-merged"
"""The landing by which lanes were found to miss something: since then all entries meet each other."""


def pause(store: Store, clock: Clock, target: str, why: str) -> None:
    """Let nothing land until :func:`resume`."""
    with store.transaction():
        note(store, target, PAUSED, why)
        store.emit(EventName.QUEUE_PAUSED, at=clock.now(), target=target, why=why)


def freeze_below(store: Store, clock: Clock, target: str, what: Freeze) -> None:
    """Let nothing below a priority land until :func:`resume`; in the place of an earlier freeze."""
    with store.transaction():
        note_freeze(store, target, what)
        _unsay(store, target, FROZEN)
        store.emit(EventName.QUEUE_PAUSED, at=clock.now(), target=target, why=what.why, below=what.below)


def staying(store: Store, target: str, tip: str, entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """Why these, about to land together onto ``tip``, do not: reasons by id, for all or for none of them."""
    paused, freeze = standstill(store, target, tip), freeze_of(store, target)
    if paused:
        return {entry.id: {"code": PAUSED, "detail": paused} for entry in entries}
    held = {entry.id for entry in entries if freeze and freeze.holds(entry.priority)}
    if not freeze or not held:
        return {}
    others = {"code": "batch", "detail": f"another of its batch is frozen: {freeze}"}
    return {
        entry.id: {"code": FROZEN, "detail": freeze.of(entry.priority)} if entry.id in held else others
        for entry in entries
    }


def turn_red(store: Store, clock: Clock, target: str, tip: str, log: str) -> None:
    """The target fails its own check at ``tip``: nothing lands, and nobody is blamed."""
    with store.transaction():
        note(store, target, RED, tip)
        if noted(store, target, UNPROVEN):
            _merge_lanes(store, clock, target, tip, log)
        why = f"target-red: {tip[:12]} fails its own check"
        store.emit(EventName.QUEUE_PAUSED, at=clock.now(), target=target, why=why, commit=tip, log=log)


def _merge_lanes(store: Store, clock: Clock, target: str, tip: str, log: str) -> None:
    """The conflict test may have called apart what breaks together: from now on nothing is (S13)."""
    since = noted(store, target, UNPROVEN)
    note(store, target, MERGED, tip)
    note(store, target, UNPROVEN, None)
    store.emit(EventName.LANES_MERGED, at=clock.now(), target=target, commit=tip, since=since, log=log)


def resume(store: Store, clock: Clock, target: str, *, lanes: bool = False) -> None:
    """Let the queue go on, whatever it stood still for; a tip that no check has met still meets one (S1).

    ``lanes``: these may be apart again, too.
    """
    with store.transaction():
        untold = noted(store, target, UNTOLD)
        seen = (UNVERIFIED, SAMPLED) if untold and untold == noted(store, target, UNVERIFIED) else ()
        for name in (PAUSED, BELOW, RED, UNTOLD, *seen, *((MERGED,) if lanes else ())):
            note(store, target, name, None)
        _unsay(store, target, PAUSED, FROZEN)
        store.emit(EventName.QUEUE_RESUMED, at=clock.now(), target=target)


def _unsay(store: Store, target: str, *codes: str) -> None:
    """That is not so any more, also where no worker is there to say what is instead."""
    for entry in store.entries(target=target, states={EntryState.QUEUED}):
        if entry.reason.get("code") in codes:
            kept = {key: said for key, said in entry.reason.items() if key not in ("code", "detail")}
            store.update_entry(entry, reason=kept)
