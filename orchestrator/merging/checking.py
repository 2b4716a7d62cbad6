"""Run one check on one exact tree, in a check slot of its own, or remember what it said before.

A verdict is keyed by tree, command and environment. Only a passing, untainted one that is younger than
``verdict_ttl`` is used again: a red check asked for again is run again.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestrator.events import EventName
from orchestrator.merging.environment import environment_digest, listing
from orchestrator.running.spec import shell_argv
from plans.effects import step

if TYPE_CHECKING:
    from orchestrator.merging.checkroom import CheckRoom
    from orchestrator.merging.checks import Check
    from orchestrator.store.records import Entry, Verdict
    from orchestrator.workbench import Workbench


class Checker:
    """Gives verdicts, one at a time."""

    def __init__(self, bench: Workbench, room: CheckRoom) -> None:
        self._bench = bench
        self.room = room
        self._environments: dict[str, str] = {}

    def use(self, bench: Workbench) -> None:
        """Go by the settings of ``bench`` from now on, and look at the environment anew."""
        self._bench = bench
        self.room.use(bench)
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
        return self._check(check, commit, environment, about)

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
        ended = self.room.run_in(name, shell_argv(command), self._bench.folder("desk", "empty"), log)
        text = log.read_text(encoding="utf-8", errors="surrogateescape")
        with step("checks.environment-log"):
            log.unlink()
        return f"{ended.exit_code}\n{text}"

    def _check(self, check: Check, commit: str, environment: str, about: dict[str, Any]) -> Verdict:
        verdict, said = self.room.try_out(check, commit, about, look=self.room.is_tainted)
        verdict = replace(verdict, environment=environment, tainted=bool(said.seen))
        with self._bench.store.transaction():
            self._bench.store.add_verdict(verdict)
            self.room.tell_finished(verdict, about)
        return verdict


def _for_whom(entry: Entry | None) -> dict[str, str | None]:
    return {"run": entry.run, "plan": entry.plan, "entry": entry.id} if entry else {}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
