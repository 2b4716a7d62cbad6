"""The environment that a verdict is valid in: one digest over everything that may change what a check says.

See ``docs/queue.md``. What is not in it is not noticed: a check that reads the network or the clock.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.clock import machine
from orchestrator.running.spec import shell_argv
from plans.systems import described
from worktrees.bring import sources_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.merging.checks import Check
    from plans.project import ProjectSettings
    from worktrees.git import Git

_SCHEMA: Final = 1


@dataclass(frozen=True)
class Environment:
    """All that may change what a check says beside its command and its tree.

    ``brought`` is what :func:`listing` says; ``outputs`` what each command of ``environment:`` printed.
    """

    project: ProjectSettings
    brought: Sequence[Sequence[Any]]
    outputs: Mapping[str, str]

    def digest(self, check: Check) -> str:
        """The sha256 (hex) of the canonical JSON of the environment of one check."""
        project, (system, architecture) = self.project, described()
        facts: dict[str, Any] = {
            "schema": _SCHEMA,
            "os": system,
            "arch": architecture,
            "machine": project.environment_id or machine(),
            "check": list(check.argv),
            "setup": list(shell_argv(project.setup)) if project.setup else [],
            "brought": [list(row) for row in self.brought],
            "check_keep": list(project.check_keep),
            "check_env": {name: os.environ.get(name) for name in project.check_env},
            "environment": dict(self.outputs),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def listing(git: Git, project: ProjectSettings) -> list[list[Any]]:
    """Name, size and time of change of what ``copy`` and ``link`` bring into a slot.

    Of a folder that is brought whole only its own: cheap, and enough to notice an installation.
    """
    top, found = git.repository.primary_top, []
    for path in sources_of(git, (*project.copy, *project.link)):
        assert top is not None, "nothing is brought where there is no main checkout"
        stat = (top / path).lstat()
        found.append([path, stat.st_size, stat.st_mtime_ns])
    return found
