"""Which checks a commit must pass: the target's own, from the target's tip, and then the plan's."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.merging.checknames import PLAN, TARGET
from orchestrator.running.spec import shell_argv

if TYPE_CHECKING:
    from orchestrator.store.records import Entry
    from plans.project import ProjectSettings


@dataclass(frozen=True, slots=True)
class Check:
    """One check command. ``name`` is one of those above; ``key`` names the command in verdicts."""

    name: str
    argv: tuple[str, ...]
    text: str

    @property
    def key(self) -> str:
        """What identifies the command in a verdict."""
        return hashlib.sha256(json.dumps(self.argv).encode()).hexdigest()


def target_check(project: ProjectSettings) -> Check | None:
    """What every commit of the target's first-parent history must pass, None when nothing is configured."""
    return Check(TARGET, shell_argv(project.check), project.check) if project.check else None


def checks_of(project: ProjectSettings, entry: Entry, *, last: bool) -> tuple[Check, ...]:
    """The checks of one commit of ``entry``'s landing, the target's first.

    A plan's own check is in addition, and need only pass where the plan's work is whole: at the ``last``.
    """
    found = [check] if (check := target_check(project)) else []
    if last and entry.check and entry.check != project.check:
        found.append(Check(PLAN, shell_argv(entry.check), entry.check))
    return tuple(found)
