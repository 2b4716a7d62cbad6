"""What everything stands on: git, the kind of repository, who the user is, the settings, room on the disk.

These need no store and are looked at first: where one of them fails, the others may not be possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.running.memory import available_memory
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.slots.room import free_space
from plans.errors import Severity
from worktrees.errors import GitTooOldError, IdentityMissingError, UnsupportedRepositoryError
from worktrees.identity import check_identity
from worktrees.objects import Objects
from worktrees.pool import pool_folder
from worktrees.repository import require_writable

if TYPE_CHECKING:
    from orchestrator.settings import Settings
    from plans.project import ProjectSettings
    from worktrees.git import Git
    from worktrees.repository import Repository

_SINCE: Final = {"merge-tree --merge-base": (2, 40), "relative worktrees": (2, 48)}
"""What planctl makes use of where git has it, and since which version it has."""
LITTLE: Final = 1 << 30
"""Bytes of free disk below which a run may well fail."""


def examine_git(git: Git) -> Examined:
    """The program, its version, and what it can do."""
    try:
        version = git.version
    except GitTooOldError as error:
        return Examined("git", str(error), (Issue("git-too-old", Gravity.ERROR, "git", str(error)),))
    can = [name for name, since in _SINCE.items() if version >= since]
    cannot = [f"{name} ({_dotted(since)})" for name, since in _SINCE.items() if version < since]
    extra = f", with {', '.join(can)}" if can else ""
    extra += f", without {', '.join(cannot)}" if cannot else ""
    return Examined("git", f"git {_dotted(version)}{extra}")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def examine_repository(repository: Repository) -> Examined:
    """Whether planctl can work on a repository of this kind."""
    try:
        Objects(repository)
    except UnsupportedRepositoryError as error:
        issue = Issue("repository-unsupported", Gravity.ERROR, str(repository.common_dir), error.reason)
        return Examined("repository", error.reason, (issue,))
    kind = "bare" if repository.primary_top is None else "with a main checkout"
    return Examined("repository", f"{repository.common_dir}, {kind}")


def examine_writing(repository: Repository) -> Examined:
    """Whether planctl's own folder can be written to; to look and to plan it need not be."""
    try:
        require_writable(repository)
    except UnsupportedRepositoryError as error:
        issue = Issue("repository-read-only", Gravity.ERROR, str(repository.common_dir), error.reason)
        return Examined("writing", error.reason, (issue,))
    return Examined("writing", f"{repository.common_dir} can be written to")


def examine_identity(git: Git) -> Examined:
    """Whether commits can be made."""
    try:
        check_identity(git)
    except IdentityMissingError as error:
        return Examined(
            "identity", str(error), (Issue("identity-missing", Gravity.ERROR, "user", str(error)),)
        )
    return Examined("identity", "git knows who commits")


def examine_settings(settings: Settings) -> Examined:
    """What is wrong with ``planctl.yaml``, of the working copy or on the target."""
    issues = tuple(
        Issue(p.code, _gravity(p.severity), p.path, f"{p.field}: {p.message}" if p.field else p.message)
        for p in settings.problems
    )
    return Examined("settings", f"target {settings.project.target}, policy of: {settings.policy}", issues)


def _gravity(severity: Severity) -> Gravity:
    return Gravity(str(severity))


def examine_disk(repository: Repository, project: ProjectSettings) -> Examined:
    """Whether there is room where worktrees are made."""
    place, free = free_space(pool_folder(repository, project.worktrees))
    detail = f"{free / LITTLE:.1f} GiB free at {place}"
    if project.pool_disk_floor and free < project.pool_disk_floor:
        floor = f"{detail}, the floor is {project.pool_disk_floor / LITTLE:.1f}"
        return Examined("disk", detail, (Issue("disk-floor", Gravity.ERROR, str(place), floor),))
    if free < LITTLE:
        return Examined("disk", detail, (Issue("disk-low", Gravity.WARNING, str(place), detail),))
    return Examined("disk", detail)


def examine_memory(project: ProjectSettings) -> Examined:
    """Whether plans may start, by the memory that is available."""
    now = available_memory()
    detail = f"{now.available / LITTLE:.1f} of {now.total / LITTLE:.1f} GiB of memory available"
    if now.available < project.host_memory_floor:
        floor = f"{detail}, the floor is {project.host_memory_floor / LITTLE:.1f}"
        return Examined("memory", detail, (Issue("memory-floor", Gravity.ERROR, "planctl.yaml", floor),))
    return Examined("memory", detail)
