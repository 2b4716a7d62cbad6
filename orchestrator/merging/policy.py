"""No branch may weaken what guards the target: a landing that changes the guarding settings is held.

The settings that guard are read from the target's tip (see ``settings``); here the candidate's own
``planctl.yaml`` is compared with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from plans.project_file import read_settings

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench
    from plans.project import ProjectSettings

FILE: Final = "planctl.yaml"
GUARDED: Final = ("target", "check", "require_check", "method", "enforce", "hot_files")


def changed_policy(bench: Workbench, old: str, new: str) -> tuple[str, ...]:
    """Return the names of the guarding settings that differ between two commits of the target.

    A file that is new in ``new`` changes those settings that it sets away from their defaults.
    """
    before, after = _settings(bench, old), _settings(bench, new)
    return tuple(name for name in GUARDED if getattr(before, name) != getattr(after, name))


def _settings(bench: Workbench, commit: str) -> ProjectSettings:
    source = bench.objects.read_blob(commit, FILE)
    return read_settings(Path(FILE), source or b"").settings
