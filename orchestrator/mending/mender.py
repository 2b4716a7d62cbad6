"""Looks for entries whose conflict a resolver is to have, one after the other, beside the queue's worker.

Promise: while it looks, every entry that is ``resolving`` comes to an end of that, and the queue's worker
lands others meanwhile. Of several processes one has an entry, by its lease. Not promised: that a conflict is
resolved while nobody works at the queue.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, LeaseLostError, StaleRecordError
from orchestrator.mending.resolution import Resolution
from orchestrator.mending.returning import lease_of, sweep
from orchestrator.states import EntryState
from plans.errors import InvalidPlansError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.leases.lease import HeldLease
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

POLL: Final = 0.5
"""Seconds between two looks when nobody wakes it; other processes, from which conflicts come, too, cannot."""
PAUSES: Final = (1.0, 30.0)
"""Seconds before a resolver that gave no answer is tried again."""


class Mender:
    """Resolves the conflicts of one target, in the thread that calls :meth:`watch`."""

    def __init__(
        self,
        bench: Workbench,
        session: SessionHandle,
        keeper: SlotKeeper,
        halted: Callable[[], bool],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._bench = bench
        self._session = session
        self._keeper = keeper
        self._halted = halted
        self._on_change = on_change
        self._not_before: dict[str, float] = {}
        self._first = True

    def watch(self, ended: threading.Event, wake: threading.Event) -> None:
        """Look until ``ended`` is set, or it is halted, at once when ``wake`` is set, which it clears.

        Raises what ends the whole session.
        """
        while not ended.is_set() and not self._halted():
            if not self.look():
                self._bench.clock.wait(wake, POLL)
                wake.clear()

    def look(self) -> bool:
        """One look; whether there was something to do."""
        sweep(self._bench, self._session, self._keeper, first=self._first)
        self._first = False
        for entry in self._bench.store.entries(target=self._bench.target, states={EntryState.RESOLVING}):
            if self._bench.clock.monotonic() < self._not_before.get(entry.id, 0.0) or self._halted():
                continue
            # another one is at it: the entry says who
            with contextlib.suppress(BusyError):
                if self.resolve(entry):
                    return True
        return False

    def resolve(self, entry: Entry) -> bool:
        """Bring one entry as far as it goes; False when another process has taken it over.

        Raises BusyError while another one is at it.
        """
        try:
            with self._session.hold(lease_of(entry.id), "resolving a conflict") as lease:
                self._go(entry, lease)
        except LeaseLostError:
            self._session.require_alive()
            return False
        self._note_later(entry)
        self._on_change()
        return True

    def _go(self, entry: Entry, lease: HeldLease) -> None:
        try:
            # moved by somebody meanwhile: what is there is that one's
            with contextlib.suppress(StaleRecordError):
                Resolution(self._refreshed(), self._keeper, entry, lease, self._halted).go()
        except BusyError as error:
            self._say_busy(entry, error)
            raise

    def _say_busy(self, entry: Entry, error: BusyError) -> None:
        """Whoever has the worktree may be stopped, and have it for as long as it lives: it is named."""
        store, detail = self._bench.store, f"{error}; it waits until that one has gone on, or is killed"
        with store.transaction():
            now = store.entry(entry.id)
            if now and now.state is EntryState.RESOLVING and now.reason.get("detail") != detail:
                store.update_entry(now, reason={**now.reason, "code": "resolving", "detail": detail})

    def _refreshed(self) -> Workbench:
        """With the settings as they are now, or as they were when they could be read."""
        try:
            return self._bench.refreshed()
        except InvalidPlansError:
            return self._bench

    def _note_later(self, entry: Entry) -> None:
        current = self._bench.store.entry(entry.id)
        later = int(current.reason.get("later", 0)) if current else 0
        if later:
            pause = PAUSES[min(later, len(PAUSES)) - 1]
            self._not_before[entry.id] = self._bench.clock.monotonic() + pause


@contextlib.contextmanager
def mending(
    bench: Workbench,
    session: SessionHandle,
    keeper: SlotKeeper,
    cancel: threading.Event,
    on_change: Callable[[], None] = lambda: None,
) -> Iterator[Callable[[], None]]:
    """A thread that mends while this lasts, and what makes it look at once.

    Its failure is raised at the end, and sets ``cancel``.
    """
    ended, wake, failures = threading.Event(), threading.Event(), list[BaseException]()
    mender = Mender(bench, session, keeper, lambda: ended.is_set() or cancel.is_set(), on_change)

    def work() -> None:
        try:
            mender.watch(ended, wake)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for this one
            failures.append(error)
            cancel.set()

    thread = threading.Thread(target=work, name="resolver")
    thread.start()
    try:
        yield wake.set
    finally:
        ended.set()
        wake.set()
        thread.join()
    if failures:
        raise failures[0]
