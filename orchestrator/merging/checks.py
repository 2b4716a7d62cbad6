"""Which checks an entry must pass: the target's own, from the target's tip, and then the plan's."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.running.spec import shell_argv

if TYPE_CHECKING:
    from orchestrator.store.records import Entry
    from plans.project import ProjectSettings


@dataclass(frozen=True, slots=True)
class Check:
    """One check command. ``name`` is ``target`` or ``plan``; ``key`` names the command in verdicts."""

    name: str
    argv: tuple[str, ...]
    text: str

    @property
    def key(self) -> str:
        """What identifies the command in a verdict."""
        return hashlib.sha256(json.dumps(self.argv).encode()).hexdigest()


def checks_of(project: ProjectSettings, entry: Entry | None) -> tuple[Check, ...]:
    """The checks of ``entry``, the target's first; without an entry those of the target itself."""
    commands = [("target", project.check), ("plan", entry.check if entry else None)]
    found: list[Check] = []
    for name, text in commands:
        if text and all(check.text != text for check in found):
            found.append(Check(name, shell_argv(text), text))
    return tuple(found)
