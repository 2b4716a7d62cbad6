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
from pathlib import Path
from typing import TYPE_CHECKING

from worktrees import repository
from worktrees.errors import NotARepositoryError
from worktrees.listing import read_listing
from worktrees.state import status

if TYPE_CHECKING:
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
    found = []
    linked: set[str] = set()
    for folder in sorted(listing.folders):
        path = worktree / folder
        if folder and (folder.rpartition("/")[0] in linked or path.is_symlink()):
            linked.add(folder)  # what lies behind a link is not in the worktree
            continue
        _require_open(path)
        if folder and _holds_work(path / ".git"):
            found.append(folder)
    inside: list[str] = []
    for other in listing.others:
        if other.endswith("/"):
            inside += _walk(worktree, other.rstrip("/"))
    return sorted({*found, *_not_ignored(git, worktree, inside)})


def _require_open(folder: Path) -> None:
    """Git only warns about a folder that it cannot read, and goes on as if it were empty."""
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be read")


def _walk(top: Path, folder: str) -> list[str]:
    """The folders at or below ``folder`` that have a ``.git`` with anything in it."""
    found = []
    for name, folders, files in os.walk(top / folder, onerror=_fail):
        here = Path(name)
        if (".git" in folders or ".git" in files) and _holds_work(here / ".git"):
            found.append(here.relative_to(top).as_posix())
        folders[:] = [name for name in folders if name != ".git"]
    return found


def _fail(error: OSError) -> None:
    raise error


def _holds_work(dot_git: Path) -> bool:
    """A ``.git`` file or link always counts; a folder does when a file is anywhere in it."""
    if dot_git.is_symlink() or not dot_git.is_dir():
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
    """Being recorded by the outer repository saves no commit of a submodule; only a remote does."""
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
