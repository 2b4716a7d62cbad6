"""The environment that a verdict is valid in: one digest over everything that may change what a check says.

See ``docs/queue.md``. What is not in it is not noticed: a check that reads the network or the clock.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.clock import host
from orchestrator.running.spec import shell_argv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.merging.checks import Check
    from plans.project import ProjectSettings

_SCHEMA = 1


def environment_digest(
    project: ProjectSettings, check: Check, root: Path | None, outputs: Mapping[str, str]
) -> str:
    """Return the sha256 (hex) of the canonical JSON of the environment.

    ``root`` is the checkout that ``copy`` and ``link`` bring files from; ``outputs`` what each command of
    ``environment:`` printed.
    """
    facts: dict[str, Any] = {
        "schema": _SCHEMA,
        "os": platform.system(),
        "arch": platform.machine(),
        "machine": project.environment_id or machine_id(),
        "check": list(check.argv),
        "setup": list(shell_argv(project.setup)) if project.setup else [],
        "brought": _listing(root, (*project.copy, *project.link)),
        "check_keep": list(project.check_keep),
        "check_env": {name: os.environ.get(name) for name in project.check_env},
        "environment": dict(outputs),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def machine_id() -> str:
    """systemd's machine id where there is one, else the host's name."""
    path = Path("/etc/machine-id")
    return path.read_text(encoding="ascii").strip() if path.is_file() else host()


def _listing(root: Path | None, names: tuple[str, ...]) -> list[list[Any]]:
    """Name, size and time of change of what is brought along: cheap, and enough to notice an update."""
    if root is None:
        return []
    found: list[list[Any]] = []
    for name in sorted(names):
        path = root / name
        if path.exists():
            stat = path.stat()
            found.append([name, stat.st_size, stat.st_mtime_ns])
    return found
