"""What is answered: each thing one call of a service, made in a thread of its own with its own store.

Whoever reads is given a copy of the store, as the commands are: one moment, whatever is written meanwhile.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from orchestrator import __version__
from orchestrator.bootstrap import open_readonly_store, working
from orchestrator.services.doctor import Report, cure, examine, report_data
from orchestrator.services.metrics import measure
from orchestrator.services.prometheus import exposition
from orchestrator.services.status import status_of
from orchestrator.services.watchdog.election import at_work

if TYPE_CHECKING:
    import threading

    from orchestrator.sessions.registry import SessionHandle
    from worktrees.repository import Repository


@dataclass(frozen=True, slots=True)
class Site:
    """One repository, served in ``session`` until ``ended`` is set.

    ``hands`` is held by whoever changes something in this process: a cure, or the watchdog's sweep.
    Each would take what the other has half done for something left over.
    """

    repository: Repository
    session: SessionHandle
    hands: threading.Lock
    ended: threading.Event

    def health(self) -> dict[str, Any]:
        """That the store answers, and which watchdog is at work."""
        with contextlib.closing(open_readonly_store(self.repository)) as store:
            found = at_work(store, self.session.clock)
        return {"status": "ok", "version": __version__, "session": self.session.id, "watchdog": found}

    def status(self) -> dict[str, Any]:
        """What ``planctl status --json`` says."""
        with contextlib.closing(open_readonly_store(self.repository)) as store:
            return asdict(status_of(store, self.session.clock, self.repository))

    def figures(self) -> bytes:
        """What ``planctl metrics --format prometheus`` says."""
        name = str(self.repository.primary_top or self.repository.common_dir)
        with contextlib.closing(open_readonly_store(self.repository)) as store:
            return exposition(measure(store, self.session.clock), name)

    def examined(self) -> dict[str, Any]:
        """What ``planctl doctor --json`` says."""
        return report_data(self._report())

    def mended(self) -> dict[str, Any]:
        """What ``doctor --fix --json`` does and says; once ``ended`` is set no further cure begins."""
        with self.hands:
            first = self._report()
            if not first.curable:
                return report_data(first)
            with working(self.repository, "doctor") as (bench, session):
                own = frozenset({self.session.id, session.id})
                return report_data(
                    cure(
                        first,
                        bench,
                        session,
                        lambda: examine(self.repository, bench.stores, own),
                        is_stopped=self.ended.is_set,
                    )
                )

    def _report(self) -> Report:
        own = frozenset({self.session.id})
        return examine(self.repository, lambda: open_readonly_store(self.repository), own)
