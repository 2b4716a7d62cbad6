"""Why a queue stands still, in the store so that every process sees it: named values of one target.

- ``paused``: a person said so, or the proof after a landing failed. Ends with ``queue resume``.
- ``red``: the commit at which the target itself fails its check. Ends when the target moves, or with resume.
- ``unverified``: the commit that somebody else brought the target to; it is checked before anything lands.
- ``tip``: the commit that the queue last knew the target at.
- ``first``: the entry at its turn that a person wants first, should it have to wait again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.events import EventName

if TYPE_CHECKING:
    from orchestrator.clock import Clock
    from orchestrator.store.protocol import Store

PAUSED: Final = "paused"
RED: Final = "red"
UNVERIFIED: Final = "unverified"
TIP: Final = "tip"
FIRST: Final = "first"
SAMPLED: Final = "sampled"
"""A landing by another tree's verdict that is to be checked whole."""
UNPROVEN: Final = "unproven"
"""The first of the landings by other trees' verdicts since the target's own tree had one."""
MERGED: Final = "lanes-merged"
"""The landing by which lanes were found to miss something: since then all entries meet each other."""


def noted(store: Store, target: str, name: str) -> str | None:
    """One of the named values."""
    return store.value(_key(target, name))


def note(store: Store, target: str, name: str, value: str | None) -> None:
    """Set or remove one of the named values."""
    store.set_value(_key(target, name), value)


def standstill(store: Store, target: str, tip: str) -> str | None:
    """Why nothing may land while the target is at ``tip``, or None."""
    paused = noted(store, target, PAUSED)
    if paused:
        return paused
    red = noted(store, target, RED)
    return f"target-red: {tip[:12]} fails its own check" if red == tip else None


def pause(store: Store, clock: Clock, target: str, why: str) -> None:
    """Let nothing land until :func:`resume`."""
    with store.transaction():
        note(store, target, PAUSED, why)
        store.emit(EventName.QUEUE_PAUSED, at=clock.now(), target=target, why=why)


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
    """Let the queue go on, whatever it stood still for; an outside tip counts as looked at by a person.

    ``lanes``: these may be apart again, too.
    """
    with store.transaction():
        for name in (PAUSED, RED, UNVERIFIED, SAMPLED, *((MERGED,) if lanes else ())):
            note(store, target, name, None)
        store.emit(EventName.QUEUE_RESUMED, at=clock.now(), target=target)


def _key(target: str, name: str) -> str:
    return f"queue.{target}.{name}"
