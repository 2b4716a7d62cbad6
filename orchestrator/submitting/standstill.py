"""Why nothing lands for now, or nothing of a low priority: named values of one target, for every process.

- ``paused``: a person said so, or the proof after a landing failed. Ends with ``queue resume``.
- ``red``: the commit at which the target itself fails its check. Ends when the target moves, or with resume.
- ``below``: entries of a priority below a number wait, the others go on. Ends with resume.

Written by the queue (``merging.pausing``); runs read it as well, to know what will not land by itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.states import OPEN_ENTRIES, EntryState

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store

PAUSED: Final = "paused"
RED: Final = "red"
BELOW: Final = "below"
FROZEN: Final = "frozen"
"""The code of the stored reason of an entry that a freeze holds."""
HOLDABLE: Final = OPEN_ENTRIES - {EntryState.LANDING}
"""The states in which a freeze holds an entry: what is landing when a person says so lands."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Entries of a priority below ``below`` do not land; ``why`` is what a person said."""

    below: float
    why: str

    def holds(self, priority: float) -> bool:
        """Whether work that was given this priority waits; age does not raise it here, or it would thaw."""
        return priority < self.below

    def of(self, priority: float) -> str:
        """In words, why work of this priority waits."""
        return f"its priority is {shown(priority)}, and nothing below {shown(self.below)} lands: {self.why}"

    def as_json(self) -> dict[str, Any]:
        """``{"below", "why"}``."""
        return asdict(self)

    def __str__(self) -> str:
        return f"nothing below priority {shown(self.below)} lands: {self.why}"


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


def freeze_of(store: Store, target: str) -> Freeze | None:
    """Below which priority nothing may land, if a person has said so."""
    text = noted(store, target, BELOW)
    return Freeze(**json.loads(text)) if text else None


def note_freeze(store: Store, target: str, freeze: Freeze) -> None:
    """From now on this one holds, in the place of an earlier one."""
    note(store, target, BELOW, json.dumps(freeze.as_json()))


def shown(priority: float) -> str:
    """A priority as people write it: 60, not 60.0."""
    return f"{priority:.15g}"


def _key(target: str, name: str) -> str:
    return f"queue.{target}.{name}"
