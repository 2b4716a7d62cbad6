"""Limits of the system that are met only when many work at once, and then far from their cause."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from orchestrator.running.limits import inotify, open_files
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from plans.systems import file_limit

if TYPE_CHECKING:
    from plans.project import ProjectSettings

_OWN: Final = 128
_FOR_A_JOB: Final = 16
"""Descriptors that planctl holds for itself and for each plan at work, with room to spare: measured are 9."""


def examine_limits(project: ProjectSettings) -> Examined:
    """Files that may be open, and inotify watches."""
    most, all_files, watched = file_limit(), open_files(), inotify()
    issues = []
    need = _OWN + _FOR_A_JOB * (project.jobs or os.cpu_count() or 1)
    if most is not None and most < need:
        detail = f"{most} files, and {need} may be needed"
        issues.append(Issue("files-limit", Gravity.WARNING, "ulimit -n", detail))
    if all_files is not None and all_files.is_short:
        detail = f"{all_files.used} of {all_files.most} in use"
        issues.append(Issue("files-exhausted", Gravity.WARNING, all_files.name, detail))
    issues += [
        Issue("inotify-exhausted", Gravity.WARNING, usage.name, f"{usage.used} of {usage.most} in use")
        for usage in watched
        if usage.is_short
    ]
    shown = ", ".join(f"{u.used} of {u.most} {u.name.rpartition('_')[2]}" for u in watched)
    detail = f"{most or 'any number of'} files may be open" + (f"; inotify: {shown}" if shown else "")
    return Examined("limits", detail, tuple(issues))
