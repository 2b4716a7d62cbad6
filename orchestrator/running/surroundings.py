"""The environment of a plan's command: the user's, without what would mislead git, plus the plan's values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans import systems
from worktrees import environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DROPPED: Final = (
    "PLANCTL_KILL_AT",  # kills planctl for a test, not what a plan calls
    "PLANCTL_KILL_ONCE",  # as above
    "PLANCTL_STEP_TRACE",  # as above
    "__PYVENV_LAUNCHER__",  # macOS: would make every python of the plan planctl's own
    "OLDPWD",  # a folder that this shell has never been in
)
NAMES: Final = (
    "PLANCTL_PLAN",
    "PLANCTL_PLAN_FILE",
    "PLANCTL_RUN",
    "PLANCTL_ATTEMPT",
    "PLANCTL_SESSION",
    "PLANCTL_WORKTREE",
    "PLANCTL_OUTPUT_DIR",
    "PLANCTL_PORT_BASE",
    "PLANCTL_BASE",
)
"""Belong to one plan; those of an outer plan never reach an inner one."""
STAGE_NAMES: Final = ("PLANCTL_RETRY_AT", "PLANCTL_HOLDS")
"""Belong to one launch of a plan's command."""
CONFLICT_NAMES: Final = (
    "PLANCTL_ENTRY",
    "PLANCTL_CONFLICT",
    "PLANCTL_CONFLICT_PATHS",
    "PLANCTL_CONFLICT_MESSAGES",
    "PLANCTL_CONFLICT_BASE",
    "PLANCTL_CONFLICT_OURS",
    "PLANCTL_CONFLICT_THEIRS",
    "PLANCTL_CONFLICT_PLANS",
)
"""Belong to one resolver."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plan's command is told; see ``docs/plan-file.md``. ``base`` is a commit."""

    plan: str
    plan_file: Path
    run: str
    attempt: str
    session: str
    worktree: Path
    output_dir: Path
    base: str
    port_base: int | None = None


def plan_environment(source: Mapping[str, str], values: Surroundings) -> dict[str, str]:
    """Return the complete environment of a plan's command."""
    result = command_environment(source, values.worktree)
    result |= {
        "PLANCTL_PLAN": values.plan,
        "PLANCTL_PLAN_FILE": str(values.plan_file),
        "PLANCTL_RUN": values.run,
        "PLANCTL_ATTEMPT": values.attempt,
        "PLANCTL_SESSION": values.session,
        "PLANCTL_WORKTREE": str(values.worktree),
        "PLANCTL_OUTPUT_DIR": str(values.output_dir),
        "PLANCTL_BASE": values.base,
    }
    if values.port_base is not None:
        result["PLANCTL_PORT_BASE"] = str(values.port_base)
    return result


def command_environment(source: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment of a command in ``folder`` that is no plan: a check, a set-up.

    PATH and an activated virtual environment stay: they are the user's, planctl adds nothing to them.
    """
    result = dict(source)
    environment.scrub(result)
    for name in (*_DROPPED, *NAMES, *STAGE_NAMES, *CONFLICT_NAMES):
        result.pop(name, None)
    if systems.POSIX:
        result["PWD"] = str(folder)
    return result
