"""The merge queue, for people and CI: drop, pause, freeze, resume, drain. Handing in is in ``enqueue``."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, UsageError
from orchestrator.leases.lease import holder_of
from orchestrator.mending.mender import mending
from orchestrator.mending.returning import sweep
from orchestrator.merging import pausing
from orchestrator.merging.policy import allow_policy_change
from orchestrator.merging.settle import settle
from orchestrator.merging.worker import QueueWorker
from orchestrator.running.waiting import make_wake
from orchestrator.services.enqueue import add
from orchestrator.services.entries import newest_of, require_entry
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.states import MOVING_ENTRIES, EntryState
from orchestrator.submitting.standstill import HOLDABLE, Freeze

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

__all__ = [
    "add",
    "call_off",
    "drain",
    "drop",
    "freeze",
    "let_pass",
    "pause",
    "require_entry",
    "resume",
    "serve",
]

_BY_A_PERSON: Final = "by a person"
"""Why, where nothing was said."""


def drop(bench: Workbench, name: str) -> Entry:
    """Take an entry out of the queue; its branch and worktree stay. One that is landing is left alone.

    Raises NothingToDoError and UsageError.
    """
    with bench.store.transaction():
        entry = require_entry(bench, name)
        if entry.state in (EntryState.LANDED, EntryState.LANDING, EntryState.DROPPED):
            raise UsageError(f"{name} is {entry.state}")
        if entry.state in (EntryState.MERGING, EntryState.CHECKING):
            entry = settle(bench, entry, EntryState.QUEUED)
        return settle(bench, entry, EntryState.DROPPED, reason={"code": "dropped", "detail": _BY_A_PERSON})


def call_off(bench: Workbench, session: SessionHandle) -> None:
    """End resolvers that nobody waits for any more, whose planctl is dead; one that lives does so itself."""
    sweep(bench, session, SlotKeeper(bench), first=False)


def pause(bench: Workbench, why: str) -> str:
    """Let nothing land until :func:`resume`; returns the reason that is shown to those who wait."""
    why = why or _BY_A_PERSON
    pausing.pause(bench.store, bench.clock, bench.target, why)
    return why


@dataclass(frozen=True, slots=True)
class Frozen:
    """A freeze, and how many it holds now of the ``open`` entries that are not landing this moment."""

    freeze: Freeze
    held: int
    open: int


def freeze(bench: Workbench, below: float, why: str) -> Frozen:
    """Let no entry of a priority below ``below`` land until :func:`resume`; the others go on as ever."""
    what = Freeze(below, why or _BY_A_PERSON)
    with bench.store.transaction():
        pausing.freeze_below(bench.store, bench.clock, bench.target, what)
        waiting = bench.store.entries(target=bench.target, states=HOLDABLE)
    return Frozen(what, sum(what.holds(entry.priority) for entry in waiting), len(waiting))


def resume(bench: Workbench, *, lanes: bool = False) -> None:
    """Let the queue go on, all of it, also after ``target-red``: the target is checked again when it matters.

    ``lanes``: also let lanes be apart again that were merged since one was found wrong.
    """
    pausing.resume(bench.store, bench.clock, bench.target, lanes=lanes)


def let_pass(bench: Workbench, entries: Sequence[Entry]) -> list[Entry]:
    """Let these entries change what guards the target; those held for it are queued again."""
    passed = []
    for entry in entries:
        with bench.store.transaction():
            allow_policy_change(bench.store, entry.id)
            held = entry.state is EntryState.HELD and entry.reason.get("code") == "policy-change"
            passed.append(settle(bench, entry, EntryState.QUEUED, reason={}) if held else entry)
    return passed


def drain(
    bench: Workbench,
    session: SessionHandle,
    wanted: Sequence[str],
    *,
    cancel: threading.Event,
    patience: float | None = None,
    on_change: Callable[[], None] = lambda: None,
) -> list[Entry]:
    """Land the entries of these ids as far as they go, and return them as they are then.

    Beside another worker, wait until it has dealt with them: at most ``patience`` seconds, if given, then
    BusyError with its name. What is left ``queued`` waits for something that a drain cannot bring.
    """
    deadline = None if patience is None else bench.clock.monotonic() + patience

    def state(key: str) -> EntryState | None:
        entry = newest_of(bench.store, key)
        return entry.state if entry else None

    def done(idle: bool) -> bool:  # noqa: FBT001 - the worker's own protocol
        if idle:  # what a resolver has comes back
            on_change()
            return not any(state(key) is EntryState.RESOLVING for key in wanted)
        # asked before each landing: the last one mostly moves still, and then the others are not read
        return not any(state(key) in MOVING_ENTRIES for key in reversed(wanted))

    def waiting() -> None:
        if deadline is not None and bench.clock.monotonic() >= deadline:
            name = f"queue:{bench.target}"
            raise BusyError("the merge queue", holder_of(bench.store, name))

    with _worker(bench, session, cancel, on_change) as worker:
        worker.drain(done, waiting)
    return [entry for key in wanted if (entry := newest_of(bench.store, key))]


def serve(
    bench: Workbench,
    session: SessionHandle,
    *,
    cancel: threading.Event,
    once: bool,
    allow_policy_change: bool = False,
    on_change: Callable[[], None] = lambda: None,
) -> None:
    """Land whatever is in the queue: with ``once`` until nothing can, else until ``cancel`` is set."""

    def done(idle: bool) -> bool:  # noqa: FBT001 - the worker's own protocol
        waits = idle and bench.store.entries(target=bench.target, states={EntryState.RESOLVING})
        if waits:
            on_change()  # what a resolver does is told by nobody else
        return once and idle and not waits

    with _worker(bench, session, cancel, on_change, allow_policy_change=allow_policy_change) as worker:
        worker.drain(done)


@contextlib.contextmanager
def _worker(
    bench: Workbench,
    session: SessionHandle,
    cancel: threading.Event,
    on_change: Callable[[], None],
    *,
    allow_policy_change: bool = False,
) -> Iterator[QueueWorker]:
    """A worker with a resolver beside it: each looks at once when the other has changed something."""
    keeper, wake = SlotKeeper(bench), make_wake(beside=cancel)
    with mending(bench, session, keeper, cancel, wake.set) as mend:

        def tell() -> None:
            mend()
            on_change()

        yield QueueWorker(
            bench,
            session,
            keeper,
            wake=wake,
            cancel=cancel,
            on_change=tell,
            allow_policy_change=allow_policy_change,
        )
