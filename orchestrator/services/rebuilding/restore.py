"""A new store is filled from what is left, in one transaction: all of it is there, or the next one does it.

A store that has been looked at is marked, so this costs others one read.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.events import EventName
from orchestrator.services.rebuilding.gather import gather
from orchestrator.services.rebuilding.marks import LOOKED, REBUILT, is_needed
from orchestrator.services.rebuilding.rebuild import rebuild
from orchestrator.store.protocol import SET_ASIDE
from plans.effects import step

if TYPE_CHECKING:
    from orchestrator.services.rebuilding.evidence import Rebuilt
    from orchestrator.store.protocol import Store
    from orchestrator.workbench import Workbench


def restore(bench: Workbench) -> str | None:
    """Fill a new store with what git knows; return the line that says so, None when nothing was done."""
    own = replace(
        bench, _own=threading.local()
    )  # whoever works at ``bench`` opens the store when it needs it
    with contextlib.closing(own.store):
        return _restore(own)


def _restore(bench: Workbench) -> str | None:
    store = bench.store
    if not is_needed(store):
        return None
    if store.value(SET_ASIDE) is None and (store.runs() or store.entries() or store.slots()):
        store.set_value(LOOKED, bench.clock.now())
        return None
    evidence = gather(bench)
    made = rebuild(evidence)
    with store.transaction():
        if not is_needed(store):
            return None  # another process was faster
        aside = store.value(SET_ASIDE)
        store.set_value(LOOKED, bench.clock.now())
        store.set_value(SET_ASIDE, None)
        if evidence.is_empty and aside is None:
            return None
        with step("store.rebuild"):
            _write(store, made)
        said: dict[str, Any] = {"aside": aside, "sentence": made.sentence, "unknown": list(made.unknown)}
        store.set_value(REBUILT, json.dumps(said))
        store.emit(EventName.STORE_REBUILT, at=evidence.now, **said)
    what = f"was corrupt and is set aside as {Path(aside).name}" if aside else "was missing"
    return f"the store {what}; rebuilt from git and journals: {made.sentence} (`planctl doctor` says more)"


def _write(store: Store, made: Rebuilt) -> None:
    for run in made.runs:
        store.add_run(run)
    for attempt in made.attempts:
        store.add_attempt(attempt)
    for entry in made.entries:
        store.add_entry(entry)
    for intent in made.intents:
        store.add_intent(intent)
    for phase in made.phases:
        store.complete_phase(phase)
    for slot in made.slots:
        store.add_slot(slot)
