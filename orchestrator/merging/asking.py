"""Asking for a turn on a remote, when others land before one time and again; see ``turns``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.merging.remoteepoch import move_epoch
from orchestrator.merging.turns import MOST, is_anothers, turn_of
from orchestrator.merging.upstream import is_plain
from orchestrator.states import EntryState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.merging.tenure import Tenure
    from orchestrator.store.records import Entry

LATE: Final = 3
"""Landings in a row that came too late before a turn is asked for."""
_LEAST: Final = 10.0
_MUCH: Final = 3
"""A turn lasts so many times as long as the last try took, and at least so many seconds."""


class Turns:
    """One worker's: how often it came too late."""

    def __init__(self) -> None:
        self._late = 0
        self._asked = False

    def processed(self, tenure: Tenure, unit: Sequence[Entry], seconds: float) -> None:
        """An entry or batch was tried, which took so long; raises RemoteUnreachableError."""
        store = tenure.bench.store
        newest = [entry for e in unit if (entry := store.entry(e.id))]
        late = any(e.state is EntryState.QUEUED and e.reason.get("code") == "target-moved" for e in newest)
        self._late = self._late + 1 if late else 0
        if tenure.bench.mirror is None or is_plain(tenure.bench):
            return
        if late and self._late >= LATE and not is_anothers(tenure.bench):
            move_epoch(tenure, turn=min(max(_LEAST, _MUCH * seconds), MOST))
            self._asked = True
        elif self._asked and not late:
            self._asked = False
            if turn_of(tenure.bench) is not None:
                move_epoch(tenure)  # what it was asked for has ended without a landing
