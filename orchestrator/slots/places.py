"""How many worktrees of the pool a plan could have now, and who is alive to give some back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.sessions.death import living_session
from orchestrator.slots.prepared import is_prepared
from orchestrator.states import TERMINAL_ATTEMPTS, AttemptState, SessionState, SlotState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.clock import Clock
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt, Slot
    from orchestrator.workbench import Workbench

PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Places:
    """``free`` worktrees could be had now; ``coming`` says that others than the asker may free some.

    Starts that have no worktree yet are taken off ``free``. ``short`` says what is lacking on the disk, if
    anything is, once free worktrees have been removed.
    """

    free: int
    coming: bool = False
    short: str = ""


def places(bench: Workbench, run: str, known: Mapping[str, Attempt]) -> Places:
    """Look at the pool for ``run``: free slots, those still to be made, and those that can be taken back.

    ``known`` are attempts that were read this moment, by id.
    """
    store = bench.store
    used = [s for s in store.slots(purpose=PLAN) if s.state not in (SlotState.FREE, SlotState.REMOVED)]
    held = [(slot, known.get(slot.attempt or "") or holder_of(bench, slot)) for slot in used]
    taken = [(slot, holder) for slot, holder in held if not is_reclaimable(bench, slot, holder)]
    preparing = store.attempts(states={AttemptState.PREPARING})
    unplaced = sum(a.slot is None for a in preparing)
    free = bench.settings.project.pool_max - len(taken) - unplaced
    return Places(free, any(_is_coming(bench, slot, holder, run) for slot, holder in taken))


def holder_of(bench: Workbench, slot: Slot) -> Attempt | None:
    """The attempt that a slot was given to, if it was to one."""
    return bench.store.attempt(slot.attempt) if slot.attempt else None


def is_reclaimable(bench: Workbench, slot: Slot, holder: Attempt | None) -> bool:
    """Whether nobody will use the slot any more: its holder has ended, or who was rescuing it is dead.

    One in which a merge stands prepared is not given away before that is taken back.
    """
    if slot.state is SlotState.RESCUING:
        return not session_is_alive(bench, slot.session)
    ended = slot.state is SlotState.LEASED and holder is not None and holder.state in TERMINAL_ATTEMPTS
    return ended and not is_prepared(bench.repository, slot.name)


def _is_coming(bench: Workbench, slot: Slot, holder: Attempt | None, run: str) -> bool:
    if slot.state is SlotState.RESCUING:
        return True
    if slot.state is not SlotState.LEASED or holder is None or holder.run == run:
        return False
    other = bench.store.run(holder.run)
    return other is not None and session_is_alive(bench, other.session)


def session_is_alive(bench: Workbench, key: str | None) -> bool:
    """Whether a session is at work: it beats, and its process is not proven dead."""
    return is_at_work(bench.store, bench.clock, key)


def is_at_work(store: Store, clock: Clock, key: str | None) -> bool:
    """The same for those who have no workbench."""
    session = living_session(store, key, clock.boot())
    return (
        session is not None and session.state is SessionState.ACTIVE and session.expires > clock.monotonic()
    )
