"""Run one check on one exact tree, in a check slot of its own, or remember what it said before.

A verdict is keyed by tree, command and environment. Only a passing, untainted one that is younger than
``verdict_ttl`` is used again: a red check asked for again is run again. Whatever keeps a check from being
run (no slot, no space, a set-up that fails) is no verdict, and nobody is blamed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import LaunchFailedError
from orchestrator.events import EventName
from orchestrator.merging.environment import environment_digest, listing
from orchestrator.running.records import Outcome
from orchestrator.running.spec import CommandSpec, ParentDeath, shell_argv
from orchestrator.running.surroundings import command_environment
from orchestrator.running.waiting import run_to_end
from orchestrator.slots.keeper import CHECK, SlotKeeper
from orchestrator.states import SlotState
from orchestrator.store.records import Verdict
from plans.effects import step
from worktrees.errors import GitFailedError, ProvisioningError, RescueIncompleteError, SlotUnavailableError

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from orchestrator.merging.checks import Check
    from orchestrator.running.spec import Ended
    from orchestrator.store.records import Entry, Slot
    from orchestrator.workbench import Workbench

NO_VERDICT_CODES: Final = frozenset({75, 125, 126, 127})
"""Try again later, cannot be tested, not executable, not found: nobody's work is to blame."""
_NO_SLOT: Final = (
    ProvisioningError,
    SlotUnavailableError,
    RescueIncompleteError,
    GitFailedError,
    LaunchFailedError,
    OSError,
)


class CancelledCheckError(Exception):
    """planctl was asked to end while a check ran: nothing was learnt."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What came of running a check: ``passed`` None is no verdict, and ``detail`` says why."""

    passed: bool | None
    exit_code: int | None = None
    tainted: bool = False
    detail: str = ""


class Checker:
    """Gives verdicts. One at a time; ``cancel`` ends the check that is running, without a verdict."""

    def __init__(self, bench: Workbench, keeper: SlotKeeper, cancel: threading.Event) -> None:
        self._bench = bench
        self._keeper = keeper
        self._cancel = cancel
        self._environments: dict[str, str] = {}

    def use(self, bench: Workbench) -> None:
        """Go by the settings of ``bench`` from now on, and look at the environment anew."""
        self._bench = bench
        self._environments.clear()

    def verdict(
        self, check: Check, commit: str, entry: Entry | None = None, *, of_target: bool = False
    ) -> Verdict:
        """What ``check`` says of ``commit``'s tree: known already, or by running it now.

        ``entry`` is for whom it is asked; ``of_target``: ``commit`` is the target's own, without its work.
        Raises CancelledCheckError.
        """
        about = {**_for_whom(entry), "commit": commit, "check": check.name, "of_target": of_target}
        tree = self._bench.objects.tree_of(commit)
        environment = self._environment(check)
        for known in self._bench.store.verdicts(tree, check.key, environment):
            if known.passed and not known.tainted and self._is_fresh(known):
                self._tell_reuse(known, about)
                return known
        return self._check(check, commit, (tree, environment), about)

    def _is_fresh(self, known: Verdict) -> bool:
        age = _time(self._bench.clock.now()) - _time(known.finished_at)
        return timedelta(0) <= age < timedelta(seconds=self._bench.settings.project.verdict_ttl)

    def _tell_reuse(self, known: Verdict, about: dict[str, Any]) -> None:
        self._bench.store.emit(
            EventName.CHECK_REUSED,
            at=self._bench.clock.now(),
            **about,
            tree=known.tree,
            verdict=known.id,
            said_at=known.finished_at,
            log=known.log,
        )

    def _environment(self, check: Check) -> str:
        if check.key not in self._environments:
            project = self._bench.settings.project
            outputs = {command: self._output(command) for command in project.environment}
            brought = listing(self._bench.git, project)
            self._environments[check.key] = environment_digest(project, check, brought, outputs)
        return self._environments[check.key]

    def _output(self, command: str) -> str:
        """What a command of ``environment:`` prints, run outside any tree: trees are keyed by their id."""
        folder = self._bench.folder("checks")
        name = f"environment-{os.getpid()}-{self._bench.stamp()}"
        log = folder / f"{name}.log"
        spec = self._spec(name, shell_argv(command), self._bench.folder("desk", "empty"), log)
        ended = self._run_to_end(spec)
        text = log.read_text(encoding="utf-8", errors="surrogateescape")
        with step("checks.environment-log"):
            log.unlink()
        return f"{ended.exit_code}\n{text}"

    def _check(self, check: Check, commit: str, key: tuple[str, str], about: dict[str, Any]) -> Verdict:
        bench, clock = self._bench, self._bench.clock
        stamp, started_at, started = bench.stamp(), clock.now(), clock.monotonic()
        log = bench.folder("checks") / f"{stamp}.log"
        bench.store.emit(EventName.CHECK_STARTED, at=started_at, **about, log=str(log))
        said = self._in_slot(check, commit, log, f"check-{stamp}")
        seconds = clock.monotonic() - started
        verdict = Verdict(
            id=stamp,
            tree=key[0],
            command=check.key,
            environment=key[1],
            commit=commit,
            passed=said.passed,
            exit_code=said.exit_code,
            started_at=started_at,
            finished_at=clock.now(),
            seconds=seconds,
            log=str(log),
            tainted=said.tainted,
            detail=said.detail,
        )
        with bench.store.transaction():
            bench.store.add_verdict(verdict)
            result: dict[str, Any] = {
                "passed": said.passed,
                "seconds": round(seconds, 3),
                "tainted": said.tainted,
            }
            bench.store.emit(EventName.CHECK_FINISHED, at=verdict.finished_at, **about, **result)
        return verdict

    def _in_slot(self, check: Check, commit: str, log: Path, name: str) -> _Said:
        """Take a slot, run there, give it back; one that could not be made ready is not used again."""
        try:
            slot = self._keeper.take(CHECK, attempt=name)
        except SlotUnavailableError as error:
            return _Said(None, detail=f"no verdict: {error}")
        try:
            said = self._run(check, slot, commit, log)
        except _NO_SLOT as error:
            self._give_up(slot, str(error))
            return _Said(None, detail=f"no verdict: {error}")
        except BaseException:
            self._keeper.free_check_slot(slot)
            raise
        self._keeper.free_check_slot(slot)
        return said

    def _give_up(self, slot: Slot, why: str) -> None:
        now = self._bench.clock.now()
        self._bench.store.move_slot(slot, SlotState.BROKEN, detail=why, session=None, changed_at=now)

    def _run(self, check: Check, slot: Slot, commit: str, log: Path) -> _Said:
        tree = self._keeper.make_ready_for_check(slot, commit)
        name, setup = slot.attempt or slot.name, self._bench.settings.project.setup
        if setup:
            ended = self._run_to_end(self._spec(f"{name}-setup", shell_argv(setup), tree.path, log))
            if not ended.succeeded:
                return _Said(None, detail=f"no verdict: setup ended with {_ending(ended)}")
        ended = self._run_to_end(self._spec(name, check.argv, tree.path, log))
        passed, tainted = _passed(ended), self._keeper.is_tainted(tree)
        detail = "" if passed is not None else f"no verdict: {_ending(ended)}"
        return _Said(passed, ended.exit_code, tainted, detail)

    def _run_to_end(self, spec: CommandSpec) -> Ended:
        ended = run_to_end(spec, self._cancel)
        if ended.outcome is Outcome.STOPPED and self._cancel.is_set():
            raise CancelledCheckError
        return ended

    def _spec(self, name: str, argv: tuple[str, ...], folder: Path, log: Path) -> CommandSpec:
        return CommandSpec(
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


def _for_whom(entry: Entry | None) -> dict[str, str | None]:
    return {"run": entry.run, "plan": entry.plan, "entry": entry.id} if entry else {}


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


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
