"""Landings by another tree's verdict: what is remembered of each, in the transactions of the landing itself.

Stored with the intent, so that a landing which recovery finds made is known for what it is: the tree that it
rests on, whether it was drawn for a check of the whole, and that the target's own tree is not proven since.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.merging.pausing import SAMPLED, UNPROVEN, UNVERIFIED
from orchestrator.submitting.standstill import note, noted

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Intent

_LANE = "lane"


@dataclass(frozen=True, slots=True)
class Lane:
    """The ``tree`` whose verdict stands for the landing's own; ``sampled``: all is checked afterwards."""

    tree: str
    sampled: bool


def intend(store: Store, intent: Intent, lane: Lane | None) -> None:
    """With the intent: what kind of landing it is."""
    said = json.dumps({"commit": intent.new, **asdict(lane)}) if lane else None
    note(store, intent.target, _LANE, said)


def landed(store: Store, intent: Intent, *, unchecked: bool) -> dict[str, Any]:
    """With the landing: have it sampled if it was drawn; what to show of it."""
    said = json.loads(noted(store, intent.target, _LANE) or "{}")
    if said.get("commit") != intent.new:
        if not unchecked and intent.new != intent.old:
            note(store, intent.target, UNPROVEN, None)  # its own tree has passed, with all that is below
        return {}
    note(store, intent.target, _LANE, None)
    note(store, intent.target, UNPROVEN, noted(store, intent.target, UNPROVEN) or intent.new)
    if said["sampled"]:
        for name in (UNVERIFIED, SAMPLED):
            note(store, intent.target, name, intent.new)
    return {"lane": said["tree"]}
