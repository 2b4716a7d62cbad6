"""Run one check on one exact tree, in a check slot of its own, or remember what it said before.

A verdict is keyed by tree, command and environment. Only a passing, untainted one that is younger than
``verdict_ttl`` is used again: a red check asked for again is run again.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.events import EventName
from orchestrator.merging.environment import Environment, listing
from orchestrator.merging.verdicts import Tally, Verdicts
from orchestrator.running.spec import shell_argv
from plans.effects import step

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from orchestrator.merging.checkroom import CheckRoom
    from orchestrator.merging.checks import Check
    from orchestrator.store.records import Entry, Verdict
    from orchestrator.workbench import Workbench


class Beside(Protocol):
    """Others who check trees at the same time."""

    def under_way(self, tree: str) -> threading.Event | None:
        """What is set when somebody's check of just that tree has ended; None where there is none."""

    def place(self) -> AbstractContextManager[None]:
        """A place for one check more, had when it is entered."""


class Alone:
    """Nobody else checks anything."""

    def under_way(self, _tree: str) -> None:
        """See the protocol."""

    def place(self) -> AbstractContextManager[None]:
        """See the protocol."""
        return contextlib.nullcontext()


class Checker:
    """Gives verdicts, one at a time; a check of the same tree that others have under way is waited for.

    ``ahead``: what is told says that it was before its turn. ``tally`` counts those of this tenure.
    """

    def __init__(
        self,
        bench: Workbench,
        room: CheckRoom,
        beside: Beside | None = None,
        *,
        tally: Tally | None = None,
        environment: Environment | None = None,
        ahead: bool = False,
    ) -> None:
        self.tally = tally or Tally()
        self._bench = bench
        self.room = room
        self._beside = beside or Alone()
        self._ahead = ahead
        self._environment = environment

    def use(self, bench: Workbench) -> None:
        """Go by the settings of ``bench`` from now on, and look at the environment anew."""
        self._bench = bench
        self.room.use(bench)
        self._environment = None

    def verdict(
        self, check: Check, commit: str, entries: Sequence[Entry] = (), *, of_target: bool = False
    ) -> Verdict:
        """What ``check`` says of ``commit``'s tree: known already, or by running it now.

        ``entries`` are for whom it is asked; ``of_target``: ``commit`` is the target's own, without their
        work. Raises CancelledCheckError.
        """
        about: dict[str, Any] = {**for_whom(entries), "commit": commit, "check": check.name}
        about |= {"of_target": of_target, **({"ahead": True} if self._ahead else {})}
        tree = self._bench.objects.tree_of(commit)
        verdicts = Verdicts(self._bench, self.environment())
        while (known := verdicts.passed(check, tree)) is None:
            ended = self._beside.under_way(tree)
            if ended is None:
                with self._beside.place():
                    return self._check(check, commit, about)
            self.room.wait_for(ended)
        self._tell_reuse(known, about)
        return known

    def known(self, check: Check, tree: str) -> Verdict | None:
        """The passing verdict on ``tree`` that is used again, if there is one; nothing is run."""
        return Verdicts(self._bench, self.environment()).passed(check, tree)

    def environment(self) -> Environment:
        """What checks run in, looked at once; raises CancelledCheckError."""
        if self._environment is None:
            project = self._bench.settings.project
            outputs = {command: self._output(command) for command in project.environment}
            self._environment = Environment(project, listing(self._bench.git, project), outputs)
        return self._environment

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

    def _check(self, check: Check, commit: str, about: dict[str, Any]) -> Verdict:
        verdict, said = self.room.try_out(check, commit, about, look=self.room.is_tainted)
        verdict = replace(verdict, environment=self.environment().digest(check), tainted=bool(said.seen))
        with self._bench.store.transaction():
            self._bench.store.add_verdict(verdict)
            self.room.tell_finished(verdict, about)
        self.tally.note(check, verdict)
        return verdict


def for_whom(entries: Sequence[Entry]) -> dict[str, Any]:
    """What an event says of the entries that it is about; of a batch the first, and all in ``batch``."""
    if not entries:
        return {}
    first = entries[0]
    found = {"run": first.run, "plan": first.plan, "entry": first.id, "branch": first.branch}
    return {**found, "batch": [e.id for e in entries]} if len(entries) > 1 else found
