"""What nobody is in charge of any more, by the store, the records of commands and the processes that live.

Here is only what needs no git, for those who look often: the watchdog. What is to be done about each finding
is said once, in ``diagnosis``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.clock import boot_id
from orchestrator.running import platforms
from orchestrator.running.places import record_folder
from orchestrator.running.platforms import MARKER
from orchestrator.running.spec import Outcome
from orchestrator.running.supervision import find, proven_end
from orchestrator.running.trees import EVER, left_over
from orchestrator.services.conductors import conductor_of
from orchestrator.sessions.death import living_session
from orchestrator.states import WORKING_ATTEMPTS, AttemptState, RunState, SlotState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt, Slot

_HELD = frozenset({SlotState.LEASED, SlotState.RESCUING})


def over_since(store: Store, state_dir: Path, name: str) -> float | None:
    """When the command ended whose mark is ``name``, as a start mark; None: it is none of ours to look after.

    Its supervisor ends the whole tree before it says so: what carries the mark and began later was begun by
    somebody who has the command's environment. Where the supervisor was killed that cannot be told: ``EVER``.
    """
    if "/" in name or name.startswith(".") or name == os.environ.get(MARKER):
        return None  # no name of ours, or the command that this very process is part of
    handle = find(record_folder(state_dir, name))
    if handle is None or handle.boot != boot_id():
        return None  # nothing outlives a boot
    end = proven_end(handle)
    attempt = store.attempt(name.rpartition("-")[0])
    # One that is running counts as an attempt without supervisor: its worktree needs care first.
    if end is None or (attempt is not None and attempt.state is AttemptState.RUNNING):
        return None
    return EVER if end.mark is None else end.mark


def left_of(store: Store, state_dir: Path, name: str, marked: Collection[int]) -> tuple[int, ...]:
    """Those of the living processes that carry the mark ``name`` which an ended command has left here."""
    until = over_since(store, state_dir, name)
    return () if until is None else tuple(sorted(left_over(platforms.all_processes(), marked, until)))


def is_lost(state_dir: Path, attempt: Attempt) -> bool:
    """Whether the supervisor of an attempt at work is gone without a word of how its command ended."""
    handle = find(record_folder(state_dir, attempt.supervisor or ""))
    if handle is None:
        return True
    end = proven_end(handle)
    return end is not None and end.outcome is Outcome.LOST


def is_anything_orphaned(store: Store, state_dir: Path, marked: Mapping[str, Collection[int]]) -> bool:
    """Whether a closer look is worth it: in doubt, True. ``marked`` are living processes by their marks."""
    return (
        any(conductor_of(store, run) is None for run in store.runs({RunState.ACTIVE}))
        or any(
            _may_be_orphaned(store, state_dir, attempt) for attempt in store.attempts(states=WORKING_ATTEMPTS)
        )
        or any(_has_no_holder(store, slot) for slot in store.slots(states=_HELD))
        or any(left_of(store, state_dir, name, pids) for name, pids in marked.items())
    )


def _may_be_orphaned(store: Store, state_dir: Path, attempt: Attempt) -> bool:
    run = store.run(attempt.run)
    if run is not None and conductor_of(store, run) is not None:
        return False
    if attempt.state is AttemptState.RUNNING:
        return is_lost(state_dir, attempt)
    if run is None or run.state is not RunState.FINISHED:
        return False  # `resume` goes on with it
    return living_session(store, run.session) is None


def _has_no_holder(store: Store, slot: Slot) -> bool:
    if living_session(store, slot.session) is not None:
        return False
    known = slot.attempt is not None and store.attempt(slot.attempt) is not None
    return not (known and slot.state is SlotState.LEASED)
