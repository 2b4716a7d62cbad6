"""The user's stash while plans run: entries are pinned, and one that vanished is named.

The list is one for all worktrees, so a ``git stash pop`` in a plan's worktree takes the user's entry, and no
hook can prevent it. Whether a plan or the user took an entry cannot be told; either way it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.events import EventName
from worktrees.stash import pin_stashes, vanished

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench


class StashWatch:
    """Looks at the stash list for one run; made when the run starts or goes on."""

    def __init__(self, bench: Workbench, run: str) -> None:
        self._bench = bench
        self._run = run
        self._known = pin_stashes(bench.git)

    def look(self) -> None:
        """Pin what is new, and emit ``stash.lost`` once for each entry that is in the list no more."""
        git = self._bench.git
        now = pin_stashes(git)
        for entry in vanished(git, self._known, now):
            self._bench.store.emit(
                EventName.STASH_LOST,
                at=self._bench.clock.now(),
                run=self._run,
                commit=entry.commit,
                reference=entry.reference,
                subject=entry.subject,
            )
        self._known = now
