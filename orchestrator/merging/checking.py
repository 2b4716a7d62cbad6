"""Run one check on one exact tree, in a check slot of its own, or remember what it said before.

A verdict is keyed by tree, command and environment. Only a passing, untainted one that is younger than
``verdict_ttl`` is used again: a red check asked for again is run again.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.events import EventName
from orchestrator.merging.environment import environment_digest
from orchestrator.running.records import Outcome
from orchestrator.running.spec import CommandSpec, ParentDeath, shell_argv
from orchestrator.running.surroundings import command_environment
from orchestrator.running.waiting import run_to_end
from orchestrator.slots.keeper import CHECK, SlotKeeper
from orchestrator.store.records import Verdict

if TYPE_CHECKING:
    import threading

    from orchestrator.merging.checks import Check
    from orchestrator.running.spec import Ended
    from orchestrator.workbench import Workbench
    from worktrees.pool import SlotTree

NO_VERDICT_CODES: Final = frozenset({75, 125, 126, 127})
"""Try again later, cannot be tested, not executable, not found: nobody's work is to blame."""


class Checker:
    """Gives verdicts. One at a time; ``cancel`` ends the check that is running, without a verdict."""

    def __init__(self, bench: Workbench, keeper: SlotKeeper, cancel: threading.Event) -> None:
        self._bench = bench
        self._keeper = keeper
        self._cancel = cancel
        self._environments: dict[str, str] = {}

    def verdict(self, check: Check, commit: str, *, run: str | None = None) -> Verdict:
        """What ``check`` says of ``commit``'s tree: known already, or by running it now."""
        tree = self._bench.objects.tree_of(commit)
        environment = self._environment(check)
        for known in self._bench.store.verdicts(tree, check.key, environment):
            if known.passed and not known.tainted and self._is_fresh(known):
                return known
        return self._check(check, commit, tree, environment, run)

    def _is_fresh(self, known: Verdict) -> bool:
        age = _time(self._bench.clock.now()) - _time(known.finished_at)
        return timedelta(0) <= age < timedelta(seconds=self._bench.settings.project.verdict_ttl)

    def _environment(self, check: Check) -> str:
        if check.key not in self._environments:
            project, root = self._bench.settings.project, self._bench.repository.primary_top
            outputs = {command: self._output(command) for command in project.environment}
            self._environments[check.key] = environment_digest(project, check, root, outputs)
        return self._environments[check.key]

    def _output(self, command: str) -> str:
        """What a command of ``environment:`` prints, run outside any tree: trees are keyed by their id."""
        folder = self._bench.folder("checks")
        log = folder / f"environment-{self._bench.stamp()}.log"
        ended = run_to_end(
            self._spec(shell_argv(command), self._bench.folder("desk", "empty"), log), self._cancel
        )
        text = log.read_text(encoding="utf-8", errors="surrogateescape")
        log.unlink()
        return f"{ended.exit_code}\n{text}"

    def _check(self, check: Check, commit: str, tree: str, environment: str, run: str | None) -> Verdict:
        bench, clock = self._bench, self._bench.clock
        stamp, started_at, started = bench.stamp(), clock.now(), clock.monotonic()
        log = bench.folder("checks") / f"{stamp}.log"
        bench.store.emit(
            EventName.CHECK_STARTED, at=started_at, run=run, commit=commit, check=check.name, log=str(log)
        )
        ended, tainted, detail = self._in_slot(check, commit, log)
        verdict = Verdict(
            id=stamp,
            tree=tree,
            command=check.key,
            environment=environment,
            commit=commit,
            passed=_passed(ended),
            exit_code=ended.exit_code if ended else None,
            started_at=started_at,
            finished_at=clock.now(),
            seconds=clock.monotonic() - started,
            log=str(log),
            tainted=tainted,
            detail=detail,
        )
        bench.store.add_verdict(verdict)
        bench.store.emit(
            EventName.CHECK_FINISHED,
            at=verdict.finished_at,
            run=run,
            commit=commit,
            check=check.name,
            passed=verdict.passed,
            seconds=round(verdict.seconds, 3),
        )
        return verdict

    def _in_slot(self, check: Check, commit: str, log: Path) -> tuple[Ended | None, bool, str]:
        slot = self._keeper.take(CHECK)
        try:
            tree = self._keeper.make_ready_for_check(slot, commit)
            ended, detail = self._run(check, tree, log)
            return ended, self._keeper.is_tainted(tree), detail
        finally:
            self._keeper.free_check_slot(slot)

    def _run(self, check: Check, tree: SlotTree, log: Path) -> tuple[Ended | None, str]:
        project = self._bench.settings.project
        if project.setup:
            ended = run_to_end(self._spec(shell_argv(project.setup), tree.path, log), self._cancel)
            if _passed(ended) is not True:
                return (
                    None,
                    f"setup ended with {ended.exit_code if ended.exit_code is not None else ended.outcome}",
                )
        ended = run_to_end(self._spec(check.argv, tree.path, log), self._cancel)
        return ended, "" if _passed(ended) is not None else f"no verdict: {_ending(ended)}"

    def _spec(self, argv: tuple[str, ...], folder: Path, log: Path) -> CommandSpec:
        name = f"check-{self._bench.stamp()}"
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


def _passed(ended: Ended | None) -> bool | None:
    """True and False are verdicts; None is none: nothing can be said of the tree."""
    if ended is None or ended.outcome is not Outcome.EXITED or ended.exit_code is None:
        return None
    if ended.exit_code in NO_VERDICT_CODES:
        return None
    return ended.exit_code == 0


def _ending(ended: Ended) -> str:
    return (
        f"exit {ended.exit_code}"
        if ended.outcome is Outcome.EXITED and ended.exit_code is not None
        else str(ended.outcome)
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
