"""Temporary files of killed processes: in planctl's own folders, the pool's links, beside the user's files.

Each names the process that made it (see ``plans.effects.DRAFT``). It is left over when that process is gone
and nobody else is at work here: a process of another container is not to be seen from this one, its session
is. What no name tells of (copies of an index under a lock of the kernel) is left over when that lock is free.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.running.platforms import find_process
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from plans.effects import DRAFT, step
from worktrees.beside import drafts_beside
from worktrees.followlock import left_drafts, remove_drafts
from worktrees.removal import delete_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench

_OURS: Final = re.compile(
    rf"{DRAFT}|(?:snapshot|new|environment)-(?P<maker>[0-9]+)-.*|\w+\.(?P<writer>[0-9]+)\.tmp"
)
_DRAFT: Final = re.compile(DRAFT)
_NOT_BELOW: Final = frozenset({"worktrees", "findings", "outputs", "logs"})
"""People's and plans' files are theirs, whatever they are called; logs are many and none is temporary."""


def examine_litter(ward: Ward) -> Examined:
    """Temporary files whose maker is gone."""
    left = tuple(_left(ward)) if ward.is_alone else ()
    state = ward.repository.state_dir
    issues = [
        Issue(
            "temporary-left",
            Gravity.WARNING,
            str(path),
            "a killed process left it",
            ward.when_alone(partial(_remove, path=path)),
        )
        for path in left
    ]
    issues += [
        Issue("temporary-left", Gravity.WARNING, str(path), "a killed landing left it", _remove_drafts)
        for path in left_drafts(ward.repository)
    ]
    return Examined("temporary files", f"{len(issues)} left over in {state}", tuple(issues))


def _left(ward: Ward) -> Iterator[Path]:
    for folder, below, files in os.walk(ward.repository.state_dir):
        below[:] = [name for name in below if name not in _NOT_BELOW]
        found = [name for name in (*below, *files) if _is_left(name)]
        below[:] = [name for name in below if name not in found]
        yield from (Path(folder, name) for name in sorted(found))
    links = ward.pool.folder / "plans"  # named after plans, which may be called new-1-api
    drafts = [*drafts_beside(ward.repository), *(sorted(links.iterdir()) if links.is_dir() else ())]
    yield from (path for path in drafts if _is_left(path.name, _DRAFT))


def _is_left(name: str, ours: re.Pattern[str] = _OURS) -> bool:
    """Whether it is a temporary file, and its maker does not live."""
    known = ours.fullmatch(name)
    makers = [int(pid) for pid in known.groups() if pid] if known else []
    return bool(makers) and find_process(makers[0]) is None


def _remove(_bench: Workbench, _session: SessionHandle, path: Path) -> None:
    with step("doctor.litter"):
        delete_tree(path)


def _remove_drafts(bench: Workbench, _session: SessionHandle) -> None:
    remove_drafts(bench.repository)
