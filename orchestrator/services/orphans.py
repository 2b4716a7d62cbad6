"""What nobody is in charge of any more, by the store, the records of commands and the processes that live.

Here is only what needs no git, for those who look often: the watchdog. What is to be done about each finding
is said once, in ``diagnosis``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.running.places import record_folder
from orchestrator.running.platforms import MARKER
from orchestrator.running.records import Outcome
from orchestrator.running.supervision import find, proven_end
from orchestrator.services.conductors import conductor_of
from orchestrator.sessions.death import living_session
from orchestrator.states import WORKING_ATTEMPTS, AttemptState, RunState, SlotState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt, Slot

_HELD = frozenset({SlotState.LEASED, SlotState.RESCUING})


def is_orphaned_command(store: Store, state_dir: Path, name: str) -> bool:
    """Whether living processes that carry the mark ``name`` are of a command here that has no supervisor."""
    if "/" in name or name.startswith(".") or name == os.environ.get(MARKER):
        return False  # no name of ours, or the command that this very process is part of
    handle = find(record_folder(state_dir, name))
    if handle is None or proven_end(handle) is None:
        return False
    attempt = store.attempt(name.rpartition("-")[0])
    # One that is running counts as an attempt without supervisor: its worktree needs care first.
    return attempt is None or attempt.state is not AttemptState.RUNNING


def is_lost(state_dir: Path, attempt: Attempt) -> bool:
    """Whether the supervisor of an attempt at work is gone without a word of how its command ended."""
    handle = find(record_folder(state_dir, attempt.supervisor or ""))
    if handle is None:
        return True
    end = proven_end(handle)
    return end is not None and end.outcome is Outcome.LOST


def is_anything_orphaned(store: Store, state_dir: Path, marked: Iterable[str]) -> bool:
    """Whether a closer look is worth it: in doubt, True. ``marked`` are the marks of living processes."""
    return (
        any(conductor_of(store, run) is None for run in store.runs({RunState.ACTIVE}))
        or any(
            _may_be_orphaned(store, state_dir, attempt) for attempt in store.attempts(states=WORKING_ATTEMPTS)
        )
        or any(_has_no_holder(store, slot) for slot in store.slots(states=_HELD))
        or any(is_orphaned_command(store, state_dir, name) for name in marked)
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
