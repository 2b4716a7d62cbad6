"""Repositories inside a worktree, whose work a snapshot of the outer one cannot hold.

``git add -A`` records of a repository inside the worktree only its commit, stores nothing at all when it
has none, and never looks into any folder called ``.git``; commits made in a submodule of a linked worktree
live in that worktree's own git folder and die with it. So they are found here and judged.

What git ignores is not looked into: package managers put checkouts of their own into ignored folders.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from worktrees import repository
from worktrees.errors import NotARepositoryError
from worktrees.listing import read_listing
from worktrees.state import status

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.listing import Listing


class NestedKind(StrEnum):
    """Why a folder cannot be captured with the worktree that holds it."""

    REPOSITORY = "a git repository of its own"
    DIRTY_SUBMODULE = "a submodule with uncommitted work"
    UNPUSHED_SUBMODULE = "a submodule with commits that no remote has"
    STASHED_SUBMODULE = "a submodule with stash entries"
    UNKNOWN_SUBMODULE = "a submodule's folder with files but without its repository"


@dataclass(frozen=True, slots=True)
class Nested:
    """One such folder, ``path`` relative to the worktree."""

    path: str
    kind: NestedKind

    def __str__(self) -> str:
        return f"{self.path} is {self.kind}"


def find_nested(git: Git, worktree: Path, listing: Listing | None = None) -> tuple[Nested, ...]:
    """Return every folder of ``worktree`` whose work a snapshot would lose; see the module's text.

    Raises :class:`OSError` for a folder that cannot be looked into.
    """
    listing = listing or read_listing(git, worktree)
    found = [Nested(path, NestedKind.REPOSITORY) for path in _repositories(git, worktree, listing)]
    for path in listing.gitlinks:
        found += _judged(git, worktree, path)
    return tuple(sorted(found, key=lambda nested: nested.path))


def _repositories(git: Git, worktree: Path, listing: Listing) -> list[str]:
    top = os.fspath(worktree)
    found = [
        folder for folder in listing.folders if folder and _holds_work(os.path.join(top, folder, ".git"))
    ]
    for folder in listing.folders:
        _require_open(os.path.join(top, folder))
    inside: list[str] = []
    for other in listing.others:
        if other.endswith("/"):
            inside += _walk(top, other.rstrip("/"))
    return sorted({*found, *_not_ignored(git, worktree, inside)})


def _require_open(folder: str) -> None:
    """Git only warns about a folder that it cannot read, and goes on as if it were empty."""
    if os.path.lexists(folder) and not os.access(folder, os.R_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be read")


def _walk(top: str, folder: str) -> list[str]:
    """The folders at or below ``folder`` that have a ``.git`` with anything in it."""
    found = []
    for here, folders, files in os.walk(os.path.join(top, folder), onerror=_fail):
        if ".git" in folders or ".git" in files:
            if _holds_work(os.path.join(here, ".git")):
                found.append(os.path.relpath(here, top).replace(os.sep, "/"))
            folders[:] = [name for name in folders if name != ".git"]
    return found


def _fail(error: OSError) -> None:
    raise error


def _holds_work(dot_git: str) -> bool:
    """A ``.git`` file or link always counts; a folder does when a file is anywhere in it."""
    if not os.path.isdir(dot_git) or os.path.islink(dot_git):
        return os.path.lexists(dot_git)
    return any(files for _, _, files in os.walk(dot_git, onerror=_fail))


def _not_ignored(git: Git, worktree: Path, folders: list[str]) -> list[str]:
    if not folders:
        return []
    # A "/" at the end: patterns such as "build/" match folders only, and check-ignore goes by the name.
    data = "".join(f"{folder}/\0" for folder in folders).encode("utf-8", "surrogateescape")
    asked = git.run("check-ignore", "-z", "--stdin", at=worktree, stdin=data, ok=(0, 1))
    ignored = set(asked.records)
    return [folder for folder in folders if f"{folder}/" not in ignored]


def _judged(git: Git, worktree: Path, path: str) -> list[Nested]:
    folder = worktree / path
    if folder.is_symlink() or not folder.is_dir():
        return []
    try:
        is_repository = repository.find(folder).top == folder.resolve()
    except NotARepositoryError:
        is_repository = False
    if not is_repository:
        return [Nested(path, NestedKind.UNKNOWN_SUBMODULE)] if any(folder.iterdir()) else []
    found = [Nested(path, kind) for kind in _kinds(git, folder)]
    inner = find_nested(git, folder)
    return [*found, *(Nested(f"{path}/{nested.path}", nested.kind) for nested in inner)]


def _kinds(git: Git, folder: Path) -> list[NestedKind]:
    """Being recorded by the outer repository saves no commit of a submodule; only a remote that has it does."""
    kinds = []
    if status(git, folder):
        kinds.append(NestedKind.DIRTY_SUBMODULE)
    if _names_commit(git, folder, "refs/stash"):
        kinds.append(NestedKind.STASHED_SUBMODULE)
    tips = ("--branches", *(("HEAD",) if _names_commit(git, folder, "HEAD") else ()))
    if git.run("rev-list", "-n1", *tips, "--not", "--remotes", at=folder).text:
        kinds.append(NestedKind.UNPUSHED_SUBMODULE)
    return kinds


def _names_commit(git: Git, folder: Path, name: str) -> bool:
    return git.run("rev-parse", "-q", "--verify", name, at=folder, ok=(0, 1)).status == 0
