"""Run one command on one exact tree, in a check slot of its own.

Whatever keeps it from being run (no slot, no space, a set-up that fails) is no verdict, and nobody is blamed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from orchestrator.errors import LaunchFailedError
from orchestrator.events import EventName
from orchestrator.running.spec import CommandSpec, Outcome, ParentDeath, shell_argv
from orchestrator.running.surroundings import command_environment
from orchestrator.running.waiting import run_to_end
from orchestrator.slots.keeper import CHECK, SlotKeeper
from orchestrator.states import SlotState
from orchestrator.store.records import Verdict
from worktrees.errors import GitFailedError, ProvisioningError, RescueIncompleteError, SlotUnavailableError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orchestrator.merging.checks import Check
    from orchestrator.running.spec import Ended
    from orchestrator.store.records import Slot
    from orchestrator.workbench import Workbench
    from worktrees.pool import SlotTree

NO_VERDICT_CODES: Final = frozenset({75, 125, 126, 127, *range(129, 160)})
"""Try again later, cannot be tested, not executable, not found, and 128 + n, by which the check's shell tells
that signal n ended it: nobody's work is to blame."""
_LOOK: Final = 0.1
"""Seconds between two looks whether planctl is asked to end."""
_NO_SLOT: Final = (
    ProvisioningError,
    SlotUnavailableError,
    RescueIncompleteError,
    GitFailedError,
    LaunchFailedError,
    OSError,
)
T = TypeVar("T")


class CancelledCheckError(Exception):
    """planctl was asked to end while a check ran: nothing was learnt."""


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """What came of a command: ``passed`` None is no verdict, and ``detail`` says why.

    ``seen`` is what was looked for in its tree afterwards, None where it did not come to that.
    """

    passed: bool | None
    exit_code: int | None = None
    detail: str = ""
    seen: T | None = None


class CheckRoom:
    """Check slots and what runs in them; ``cancel`` ends what is running, without a verdict."""

    def __init__(self, bench: Workbench, keeper: SlotKeeper, cancel: threading.Event) -> None:
        self._bench = bench
        self._keeper = keeper
        self._cancel = cancel

    def use(self, bench: Workbench) -> None:
        """Go by the settings of ``bench`` from now on."""
        self._bench = bench

    def is_tainted(self, tree: SlotTree) -> bool:
        """Whether tracked files are not what the commit says they are."""
        return self._keeper.is_tainted(tree)

    def wait_for(self, ended: threading.Event) -> None:
        """Wait until ``ended`` is set; raises CancelledCheckError."""
        while not ended.wait(_LOOK):
            if self._cancel.is_set():
                raise CancelledCheckError

    def try_out(
        self, check: Check, commit: str, about: Mapping[str, Any], *, look: Callable[[SlotTree], T]
    ) -> tuple[Verdict, Said[T]]:
        """Run ``check`` at ``commit``, told as begun; what it said, and that as a verdict, not stored yet.

        ``about`` is told with it. Raises as :meth:`run`.
        """
        bench, clock = self._bench, self._bench.clock
        stamp, started_at, started = bench.stamp(), clock.now(), clock.monotonic()
        log = bench.folder("checks") / f"{stamp}.log"
        bench.store.emit(EventName.CHECK_STARTED, at=started_at, **about, log=str(log))
        said = self.run(f"check-{stamp}", check.argv, commit, log, look=look)
        verdict = Verdict(
            id=stamp,
            tree=bench.objects.tree_of(commit),
            command=check.key,
            environment="",
            commit=commit,
            passed=said.passed,
            exit_code=said.exit_code,
            started_at=started_at,
            finished_at=clock.now(),
            seconds=clock.monotonic() - started,
            log=str(log),
            detail=said.detail,
        )
        return verdict, said

    def tell_finished(self, verdict: Verdict, about: Mapping[str, Any]) -> None:
        """The end of what :meth:`try_out` told as begun."""
        result: dict[str, Any] = {
            "passed": verdict.passed,
            "seconds": round(verdict.seconds, 3),
            "tainted": verdict.tainted,
        }
        self._bench.store.emit(EventName.CHECK_FINISHED, at=verdict.finished_at, **about, **result)

    def run(
        self, name: str, argv: tuple[str, ...], commit: str, log: Path, *, look: Callable[[SlotTree], T]
    ) -> Said[T]:
        """Take a slot, run ``argv`` there at ``commit``, ``look``, give it back.

        A slot that could not be made ready is not used again. Raises CancelledCheckError, and what ``look``
        raises beside git's failures.
        """
        try:
            slot = self._keeper.take(CHECK, attempt=name)
        except SlotUnavailableError as error:
            return Said(None, detail=f"no verdict: {error}")
        try:
            said = self._run(slot, argv, commit, log, look=look)
        except _NO_SLOT as error:
            self._give_up(slot, str(error))
            return Said(None, detail=f"no verdict: {error}")
        except BaseException:
            self._keeper.free_check_slot(slot)
            raise
        self._keeper.free_check_slot(slot)
        return said

    def _give_up(self, slot: Slot, why: str) -> None:
        now = self._bench.clock.now()
        self._bench.store.move_slot(slot, SlotState.BROKEN, detail=why, session=None, changed_at=now)

    def _run(
        self, slot: Slot, argv: tuple[str, ...], commit: str, log: Path, *, look: Callable[[SlotTree], T]
    ) -> Said[T]:
        tree = self._keeper.make_ready_for_check(slot, commit)
        name, setup = slot.attempt or slot.name, self._bench.settings.project.setup
        if setup:
            ended = self.run_in(f"{name}-setup", shell_argv(setup), tree.path, log)
            if not ended.succeeded:
                return Said(None, detail=f"no verdict: setup ended with {_ending(ended)}")
        ended = self.run_in(name, argv, tree.path, log)
        passed = _passed(ended)
        detail = "" if passed is not None else f"no verdict: {_ending(ended)}"
        return Said(passed, ended.exit_code, detail, look(tree))

    def run_in(self, name: str, argv: tuple[str, ...], folder: Path, log: Path) -> Ended:
        """Run ``argv`` in ``folder`` to its end; raises CancelledCheckError."""
        spec = CommandSpec(
            attempt=name,
            argv=argv,
            cwd=folder,
            environment=command_environment(os.environ, folder),
            log=log,
            record_dir=self._bench.folder("records") / name,
            timeout=self._bench.settings.project.check_timeout,
            parent_death=ParentDeath.STOP,
            append_log=True,
        )
        ended = run_to_end(spec, self._cancel)
        if ended.outcome is Outcome.STOPPED and self._cancel.is_set():
            raise CancelledCheckError
        return ended


def _passed(ended: Ended) -> bool | None:
    """True and False are verdicts; None is none: nothing can be said of the tree."""
    if ended.outcome is not Outcome.EXITED or ended.exit_code is None:
        return None
    if ended.exit_code in NO_VERDICT_CODES:
        return None
    return ended.exit_code == 0


def _ending(ended: Ended) -> str:
    if ended.outcome is not Outcome.EXITED:
        return str(ended.outcome).replace("_", " ")
    return f"signal {ended.signal}" if ended.exit_code is None else f"exit {ended.exit_code}"
