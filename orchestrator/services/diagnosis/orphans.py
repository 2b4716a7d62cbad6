"""``doctor --orphans``: processes and locks that earlier tools left here; ``orphans:`` says which.

Looked for on request only, since a pattern is no proof. What makes each harmless to end or remove is proven
one by one, see ``strays`` and :func:`_lock_issue`.
"""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.clock import host
from orchestrator.running.platforms import find_process
from orchestrator.running.strays import Stray, end, strays
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.sessions.death import living_session
from orchestrator.states import LIVING_SESSIONS
from plans import systems
from plans.effects import step
from worktrees.removal import delete_tree
from worktrees.slot import registered

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.protocol import Store
    from orchestrator.workbench import Workbench

_SAYS_PID: Final = frozenset({"pid", ".pid", "owner", "pid.txt"})
_SMALL: Final = 1024
_LARGEST: Final = 1 << 22
"""Linux gives no larger number to a process; a date without dashes is one."""


def examine_strays(ward: Ward) -> Examined:
    """Orphaned processes of this user in this repository's folders."""
    places = [path for _, path in registered(ward.repository.common_dir)]
    places += [ward.repository.common_dir, ward.pool.folder]
    places += [ward.repository.primary_top] if ward.repository.primary_top else []
    project, spared = ward.project, _at_work(ward.store)
    folders = [place.resolve() for place in places]
    found = strays(project.orphans_processes, folders, project.orphans_older_than, spared, ward.seconds())
    issues = [_stray_issue(stray) for stray in found]
    return Examined("orphaned processes", f"{len(found)} match `orphans:`", tuple(issues))


def _stray_issue(stray: Stray) -> Issue:
    detail = f"{stray.line[:120]} in {stray.folder}, for {stray.age / 3600:.1f} hours"
    cure = partial(_end, stray=stray)
    return Issue("orphan-process", Gravity.WARNING, f"pid {stray.process.pid}", detail, cure)


def _at_work(store: Store) -> set[int]:
    """The processes of living sessions."""
    open_ = store.sessions(LIVING_SESSIONS)
    return {session.pid for session in open_ if living_session(store, session.id)}


def _end(bench: Workbench, _session: SessionHandle, stray: Stray) -> None:
    if left := end(stray, _at_work(bench.store)):
        raise OSError(f"{', '.join(map(str, left))} could not be ended")


def examine_locks(ward: Ward) -> Examined:
    """Lock files, and folders made as locks, in the main checkout; what git tracks is nobody's leftover."""
    top = ward.repository.primary_top
    if top is None:
        return Examined("orphaned locks", "there is no main checkout")
    patterns = ward.project.orphans_locks
    matching = {path for pattern in patterns for path in top.glob(pattern)}
    found = sorted(path for path in matching if not _is_anothers(ward, top, path))
    issues = [issue for path in found if (issue := _lock_issue(ward, top, path))]
    return Examined("orphaned locks", f"{len(found)} locks match `orphans:`", tuple(issues))


def _lock_issue(ward: Ward, top: Path, path: Path) -> Issue | None:
    """Proven left: old enough, not tracked, and it names a process that does not live; nothing else in it."""
    subject = path.relative_to(top).as_posix()
    if (
        path.is_symlink()
        or not path.resolve().is_relative_to(top.resolve())
        or _is_tracked(ward, top, subject)
    ):
        return None
    if ward.seconds() - path.lstat().st_mtime < ward.project.orphans_older_than:
        return None
    pid, why = _holder(path)
    if pid is None:
        return Issue("orphan-kept", Gravity.HINT, subject, why)
    if find_process(pid) is not None:
        return Issue("orphan-kept", Gravity.HINT, subject, f"process {pid}, which it names, lives")
    cure = partial(_remove, path=path, pid=pid)
    return Issue("orphan-lock", Gravity.WARNING, subject, f"process {pid}, which it names, is gone", cure)


def _is_anothers(ward: Ward, top: Path, path: Path) -> bool:
    """Whether it lies in git's own folder, planctl's included, or in another worktree or repository."""
    if path.resolve().is_relative_to(ward.repository.common_dir.resolve()):
        return True
    between = path.relative_to(top).parents
    return any(os.path.lexists(top / part / ".git") for part in between if part != Path())


def _is_tracked(ward: Ward, top: Path, subject: str) -> bool:
    return bool(ward.git.run("ls-files", "-z", "--", f":(literal,top){subject}", at=top).output)


def _holder(path: Path) -> tuple[int | None, str]:
    """The process that a lock names; else None and why it cannot be told."""
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    if path.is_dir() and [p.name for p in inside if p.name not in _SAYS_PID]:
        return None, "other files are in it"
    if len(inside) != 1 or inside[0].is_symlink() or not inside[0].is_file():
        return None, "it does not say which process holds it"
    with inside[0].open("rb") as file:
        # a child may have it by inheritance, whatever became of who signed it
        if not systems.lock(file.fileno(), wait=False):
            return None, "somebody holds the system's lock on it"
        pid = _pid_in(file.read(_SMALL))
    return (pid, "") if pid else (None, "it does not say which process of this machine holds it")


def _pid_in(said: bytes) -> int | None:
    """A number and nothing else, or ``pid`` of a JSON object that names no other host."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return None
    about = found if isinstance(found, dict) else {"pid": found}
    pid = about.get("pid")
    here = all(about.get(name) in (None, host()) for name in ("host", "hostname"))
    return pid if type(pid) is int and 0 < pid <= _LARGEST and here else None


def _remove(_bench: Workbench, _session: SessionHandle, path: Path, pid: int) -> None:
    if os.path.lexists(path) and _holder(path) == (pid, "") and find_process(pid) is None:
        with step("doctor.orphan_lock"):
            delete_tree(path)
