"""The settings of a repository: ``planctl.yaml`` of the working copy, guarded by the one on the target.

``target, check, require_check, method, enforce, hot_files`` decide what may land, ``notify`` who is told of
it, by commands that run here. Except for ``target`` they are taken from the tip of the target, so that no
branch can weaken what guards it (P23), nor have its own program told of what everybody does. Which branch
is the target is said by the working copy: naming another one does not weaken the guard of either, since each
is guarded by its own tip; a tip that names another target is a warning.

Options and environment variables come on top, by ``dataclasses.replace`` in the caller.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from plans.errors import InvalidPlansError, Problem, Severity
from plans.folding import EXACT, Folding
from plans.hotfiles import HotMerge
from plans.project import ProjectSettings
from worktrees.coreconfig import core_settings, is_true
from worktrees.hot import NONE, Hot
from worktrees.mirror import mirror_of, shown_target

if TYPE_CHECKING:
    from plans.project_file import ReadSettings
    from worktrees.git import Git
    from worktrees.objects import Objects
    from worktrees.repository import Repository

FILE: Final = "planctl.yaml"
GUARDED: Final = ("check", "require_check", "method", "queue", "root_files", "enforce", "hot_files", "notify")
_MOST_BYTES: Final = 1024 * 1024


class PolicySource(StrEnum):
    """Where the guarded keys were read."""

    TARGET = "target"
    WORKING_COPY = "working-copy"
    DEFAULTS = "defaults"


@dataclass(frozen=True, slots=True)
class Settings:
    """The effective settings, where the guarded ones come from, and what is wrong with either file.

    ``target_tip`` is the commit whose ``planctl.yaml`` was read, None when the target has no commit or the
    target was not looked at. ``folding`` says which names are one file, by git's settings.
    Settings with a problem of severity error must not be acted on.
    """

    project: ProjectSettings
    policy: PolicySource
    problems: tuple[Problem, ...] = ()
    target_tip: str | None = None
    folding: Folding = EXACT


@lru_cache(maxsize=8)
def _parsed(path: PurePosixPath, source: bytes) -> ReadSettings:
    """A queue worker looks after each landing, and the same bytes mean the same settings."""
    from plans.project_file import read_settings  # noqa: PLC0415 - YAML, for those who have a file

    return read_settings(path, source)


def working_settings(repository: Repository, *, remote: str | None = None) -> Settings:
    """The settings of the working copy alone, without git: for commands that land nothing.

    ``remote``: that of ``--remote``, which counts more than the one in the file.
    """
    own = _own_settings(repository)
    return own if remote is None else replace(own, project=replace(own.project, remote=remote))


def _own_settings(repository: Repository) -> Settings:
    source, problems = _working_copy(repository)
    names = _folding(repository)
    if source is None:
        return Settings(ProjectSettings(), PolicySource.DEFAULTS, problems, folding=names)
    read = _parsed(PurePosixPath(FILE), source)
    return Settings(read.settings, PolicySource.WORKING_COPY, tuple(read.problems), folding=names)


def _folding(repository: Repository) -> Folding:
    """Which names are one file in its working trees, as git found out when it made the repository."""
    found = core_settings(repository.common_dir)
    ignore_case, precompose = (found.get(f"core.{key}", "") for key in ("ignorecase", "precomposeunicode"))
    return Folding(is_true(ignore_case), is_true(precompose))


def target_reference(project: ProjectSettings) -> str:
    """The full name of the reference that work lands on; of a remote's branch that of its mirror here."""
    if project.remote is None:
        return f"refs/heads/{project.target}"
    return mirror_of(project.remote, project.target).target


def load_settings(
    repository: Repository, git: Git, objects: Objects | None = None, *, remote: str | None = None
) -> Settings:
    """The effective settings; see the module's text. Problems are collected, not raised.

    ``remote`` as in :func:`working_settings`. With ``objects`` the target's tip is read in process; without,
    by git, in any kind of repository.
    """
    from worktrees import files  # noqa: PLC0415 - GitPython costs 115 ms

    own = working_settings(repository, remote=remote)
    target, reference = own.project.target, target_reference(own.project)
    tip = files.tip_of(git, reference) if objects is None else objects.reference(reference)
    if tip is None:
        missing = Problem(
            FILE,
            "target-missing",
            f"the target branch {shown_target(reference)} does not exist",
            field="target",
            hint="make its first commit, or name another branch with `target:`",
            severity=Severity.WARNING,
        )
        return replace(own, problems=(*own.problems, missing))
    read = files.committed_file(git, tip, FILE) if objects is None else objects.regular_file(tip, FILE)
    if (source := read) is None:
        problems = (
            own.problems if own.policy is PolicySource.DEFAULTS else (*own.problems, _uncommitted(target))
        )
        return replace(own, problems=problems, target_tip=tip)
    return _guarded(own, source, tip)


def hot_of(project: ProjectSettings) -> Hot:
    """The hot files, by what a merge does with them."""
    by = {way: [path for path, file in project.hot_files.items() if file.merge is way] for way in HotMerge}
    return Hot(
        frozenset(by[HotMerge.UNION]),
        frozenset(by[HotMerge.REGENERATE]),
        {path: project.hot_files[path].by for path in by[HotMerge.FRAGMENT]},
    )


def hot_files_at(repository: Repository, objects: Objects, tip: str) -> Hot:
    """What ``hot_files`` names at the tip of a target.

    While no ``planctl.yaml`` is committed there, the working copy counts. One with errors, by which nothing
    would land, names none.
    """
    source = objects.regular_file(tip, FILE)
    if source is None:
        source, _ = _working_copy(repository)
    read = _parsed(PurePosixPath(FILE), source or b"")
    if any(p.severity is Severity.ERROR for p in read.problems):
        return NONE
    return hot_of(read.settings)


def require_usable(settings: Settings) -> Settings:
    """Return ``settings``; raise :class:`InvalidPlansError` when either file has errors."""
    errors = tuple(p for p in settings.problems if p.severity is Severity.ERROR)
    if errors:
        raise InvalidPlansError(errors)
    return settings


def _guarded(own: Settings, source: bytes, tip: str) -> Settings:
    """``own`` with the guarded keys of the target's tip."""
    target = own.project.target
    read = _parsed(PurePosixPath(f"{target}:{FILE}"), source)
    project = replace(own.project, **{key: getattr(read.settings, key) for key in GUARDED})
    problems = [*own.problems, *read.problems]
    if read.settings.target != target:
        problems.append(
            Problem(
                f"{target}:{FILE}",
                "target-differs",
                f"on {target} the target is said to be {read.settings.target}, in the working copy {target}",
                field="target",
                hint="commit one name on both",
                severity=Severity.WARNING,
            )
        )
    return Settings(project, PolicySource.TARGET, tuple(problems), tip, own.folding)


def _uncommitted(target: str) -> Problem:
    return Problem(
        FILE,
        "settings-uncommitted",
        f"{FILE} is not committed on {target}, so any working copy decides what may land there",
        hint=f"commit {FILE} on {target}",
        severity=Severity.WARNING,
    )


def _working_copy(repository: Repository) -> tuple[bytes | None, tuple[Problem, ...]]:
    """The bytes of the working copy's file, None when there is none; never a device, never from outside."""
    if repository.top is None:
        return None, ()
    path = repository.top / FILE
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None, (Problem(FILE, "not-a-file", f"{FILE} is not a regular file"),)
        if not path.resolve().is_relative_to(repository.top.resolve()):
            return None, (Problem(FILE, "outside-repository", f"{FILE} is a link that leads out"),)
        with path.open("rb") as file:
            return file.read(_MOST_BYTES + 1), ()
    except FileNotFoundError:
        return None, ()
    except OSError as error:
        return None, (Problem(FILE, "unreadable", f"{FILE} cannot be read: {error.strerror}"),)
