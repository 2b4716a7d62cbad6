"""What a worker does about a remote: it looks when that is due, and bears with one that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from orchestrator.clock import jitter
from orchestrator.merging.asking import Turns
from orchestrator.merging.turns import is_anothers
from orchestrator.merging.upstream import FRESH, Upstream, say_unreachable
from orchestrator.states import EntryState
from worktrees.remoteerrors import (
    RemoteBranchMissingError,
    RemoteUnreachableError,
    SplitRemoteError,
    UnknownRemoteError,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from orchestrator.merging.tenure import Tenure
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

PATIENCE: Final = 600.0
"""Seconds for which a remote may not answer before the worker gives up with that error."""
REFUSING: Final = 30.0
"""The same for one that answers and takes no push: mostly it will not, whoever asks."""
RemoteTrouble: TypeAlias = (
    RemoteUnreachableError | RemoteBranchMissingError | UnknownRemoteError | SplitRemoteError
)
"""What somebody else has to end: it says nothing about the work, nor about this process."""
_FIRST: Final = 0.5
_LONGEST: Final = 30.0


class RemoteWait:
    """One worker's dealings with the remote whose target counts; nothing at all where it is a local one."""

    def __init__(
        self, bench: Workbench, cancel: threading.Event, is_needed: Callable[[], bool] = lambda: False
    ) -> None:
        self._bench = bench
        self._is_needed = is_needed
        self._cancel = cancel
        self._turns = Turns()
        self._began = 0.0
        self._upstream = Upstream(bench)
        self._since: dict[bool, float] = {}
        self._pause = 0.0

    def look(self, tenure: Tenure, *, idle: bool) -> None:
        """Before a decision; while it is another clone's turn, wait. Raises RemoteUnreachableError."""
        self._upstream.look(idle=idle)
        while is_anothers(self._bench) and not self._cancel.is_set():
            self._bench.clock.wait(self._cancel, jitter(FRESH, 0.3))
            tenure.check()
            self._upstream.look(idle=False)
        self._since.pop(False, None)
        self._began = self._bench.clock.monotonic()

    def processed(self, tenure: Tenure, unit: Sequence[Entry]) -> None:
        """An entry went as far as it goes, so the remote takes what is pushed, as far as it was."""
        self._since.clear()
        if self._bench.mirror is not None and self._has_landed(unit):
            self._upstream.seen()  # the landing is believed by a look
        self._turns.processed(tenure, unit, self._bench.clock.monotonic() - self._began)

    def _has_landed(self, unit: Sequence[Entry]) -> bool:
        newest = (self._bench.store.entry(entry.id) for entry in unit)
        return any(entry is not None and entry.state is EntryState.LANDED for entry in newest)

    def bear(self, error: RemoteTrouble) -> bool:
        """Store ``error`` as the reason of what waits for it; return whether it is news.

        Raises it when that has lasted too long, unless plans are at work meanwhile: those do not need it.
        """
        now = self._bench.clock.monotonic()
        answers = not isinstance(error, RemoteUnreachableError) or error.answers
        is_news = answers not in self._since
        lasted = now - self._since.setdefault(answers, now)
        if lasted >= (REFUSING if answers else PATIENCE) and not self._is_needed():
            raise error
        self._pause = min(max(_FIRST, lasted / 2), _LONGEST)
        say_unreachable(self._bench, error)
        return is_news

    def rest(self, wake: threading.Event) -> None:
        """After :meth:`bear`, ever longer, and never as long as another who waits for the same."""
        seconds, self._pause = self._pause, 0.0
        if seconds:
            self._bench.clock.wait(wake, jitter(seconds, 0.3))
