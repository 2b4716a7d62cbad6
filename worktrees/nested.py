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
from typing import TYPE_CHECKING, TypeAlias

from worktrees import repository
from worktrees.errors import GitRefusedError, NotARepositoryError
from worktrees.listing import read_listing
from worktrees.state import ChangeKind, status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worktrees.git import Git
    from worktrees.listing import Listing
    from worktrees.state import Change

    Unreadable: TypeAlias = Callable[[str, str], object]


class NestedKind(StrEnum):
    """Why a folder cannot be captured with the worktree that holds it."""

    REPOSITORY = "a git repository of its own"
    DIRTY_SUBMODULE = "a submodule with uncommitted work"
    UNPUSHED_SUBMODULE = "a submodule with commits that no remote has"
    STASHED_SUBMODULE = "a submodule with stash entries"
    UNKNOWN_SUBMODULE = "a submodule's folder with files but without its repository"
    UNREADABLE_SUBMODULE = "a submodule that git cannot read"
    REPLACED = "a git repository in the place of the worktree's own"
    LEFT_SUBMODULE = "the repository of a submodule that is not there any more, with work in it"


@dataclass(frozen=True, slots=True)
class Nested:
    """One such folder, ``path`` relative to the worktree."""

    path: str
    kind: NestedKind

    def __str__(self) -> str:
        return f"{self.path} is {self.kind}"


def find_nested(
    git: Git, worktree: Path, listing: Listing | None = None, unreadable: Unreadable | None = None
) -> tuple[Nested, ...]:
    """Return every folder of ``worktree`` whose work a snapshot would lose; see the module's text.

    Raises :class:`OSError` for a folder that cannot be looked into; ``unreadable``, where given, is told
    path and reason instead.
    """
    listing = listing or read_listing(git, worktree)
    inside = _repositories(git, worktree, listing, unreadable or _fail)
    found = [Nested(path, NestedKind.REPOSITORY) for path in inside]
    for path in listing.gitlinks:
        found += judge(git, worktree, path)
    return tuple(sorted(found, key=lambda nested: nested.path))


def in_place_of_files(worktree: Path, listing: Listing, changes: Sequence[Change]) -> tuple[Nested, ...]:
    """The repositories with commits that stand where a tracked file was: git calls that a change of type."""
    paths = (c.path for c in changes if c.kind is not ChangeKind.UNTRACKED and c.path not in listing.gitlinks)
    found = [p for p in paths if (worktree / p).is_dir() and not (worktree / p).is_symlink()]
    return tuple(Nested(p, NestedKind.REPOSITORY) for p in found if os.path.lexists(worktree / p / ".git"))


def find_left(git: Git, git_dir: Path) -> dict[str, Path]:
    """Git folders in a worktree's metadata of submodules whose folders are gone, that hold work; by name."""
    found: dict[str, Path] = {}
    waiting = [git_dir / "modules"]
    while waiting:
        folder = waiting.pop()
        for place in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not (place / "HEAD").is_file():
                waiting.append(place)
            elif _is_left(git, place):
                found[place.relative_to(git_dir / "modules").as_posix()] = place
            else:
                waiting.append(place / "modules")
    return found


def _is_left(git: Git, git_dir: Path) -> bool:
    asked = ("config", "-f", str(git_dir / "config"), "core.worktree")
    folder = git_dir / git.run(*asked, ok=()).text
    if (folder / ".git").exists():
        return False
    pinned = {"GIT_DIR": str(git_dir), "GIT_WORK_TREE": str(git_dir)}
    try:
        return bool(_hidden_kinds(git, git_dir, pinned))
    except GitRefusedError:
        return True


def _repositories(git: Git, worktree: Path, listing: Listing, unreadable: Unreadable) -> list[str]:
    found = []
    linked: set[str] = set()
    for folder in sorted(listing.folders):
        path = worktree / folder
        if folder and (folder.rpartition("/")[0] in linked or path.is_symlink()):
            linked.add(folder)  # what lies behind a link is not in the worktree
            continue
        if not _is_open(path):
            unreadable(folder, f"{path} cannot be read")
            continue
        if folder and _holds_work(path / ".git"):
            found.append(folder)
    inside: list[str] = []
    for other in listing.others:
        if other.endswith("/"):
            inside += _walk(worktree, other.rstrip("/"), unreadable)
    return sorted({*found, *_not_ignored(git, worktree, inside)})


def _is_open(folder: Path) -> bool:
    """Git only warns about a folder that it cannot read, and goes on as if it were empty."""
    return not folder.is_dir() or os.access(folder, os.R_OK | os.X_OK)


def _walk(top: Path, folder: str, unreadable: Unreadable) -> list[str]:
    """The folders at or below ``folder`` that have a ``.git`` with anything in it."""

    def note(error: OSError) -> None:
        unreadable(os.path.relpath(error.filename, top), str(error))

    found = []
    for name, folders, files in os.walk(top / folder, onerror=note):
        here = Path(name)
        if (".git" in folders or ".git" in files) and _holds_work(here / ".git"):
            found.append(here.relative_to(top).as_posix())
        folders[:] = [name for name in folders if name != ".git"]
    return found


def _fail(_path: str, reason: str) -> None:
    raise PermissionError(reason)


def _holds_work(dot_git: Path) -> bool:
    """A ``.git`` file or link always counts; a folder does when a file is in it, or it cannot be read."""
    if dot_git.is_symlink() or not dot_git.is_dir():
        return os.path.lexists(dot_git)
    return any(files or not _is_open(Path(name)) for name, _, files in os.walk(dot_git)) or not _is_open(
        dot_git
    )


def _not_ignored(git: Git, worktree: Path, folders: list[str]) -> list[str]:
    if not folders:
        return []
    # A "/" at the end: patterns such as "build/" match folders only, and check-ignore goes by the name.
    data = "".join(f"{folder}/\0" for folder in folders).encode("utf-8", "surrogateescape")
    asked = git.run("check-ignore", "-z", "--stdin", at=worktree, stdin=data, ok=(0, 1))
    ignored = set(asked.records)
    return [folder for folder in folders if f"{folder}/" not in ignored]


def judge(git: Git, worktree: Path, path: str) -> list[Nested]:
    """What of the submodule at ``path`` a snapshot would lose; nothing for one that is not filled."""
    folder = worktree / path
    if folder.is_symlink() or not folder.is_dir():
        return []
    try:
        is_repository = repository.find(folder).top == folder.resolve()
    except NotARepositoryError:
        is_repository = False
    if not is_repository:
        return [Nested(path, NestedKind.UNKNOWN_SUBMODULE)] if any(folder.iterdir()) else []
    try:
        found = [Nested(path, kind) for kind in _kinds(git, folder)]
        inner = find_nested(git, folder)
    except (GitRefusedError, OSError):
        return [Nested(path, NestedKind.UNREADABLE_SUBMODULE)]
    return [*found, *(Nested(f"{path}/{nested.path}", nested.kind) for nested in inner)]


def _kinds(git: Git, folder: Path) -> list[NestedKind]:
    dirty = [NestedKind.DIRTY_SUBMODULE] if status(git, folder) else []
    return dirty + _hidden_kinds(git, folder)


def _hidden_kinds(git: Git, folder: Path, extra: Mapping[str, str] | None = None) -> list[NestedKind]:
    """Being recorded by the outer repository saves no commit of a submodule; only a remote does."""
    kinds = []
    if _names_commit(git, folder, "refs/stash", extra):
        kinds.append(NestedKind.STASHED_SUBMODULE)
    tips = ("--branches", *(("HEAD",) if _names_commit(git, folder, "HEAD", extra) else ()))
    if git.run("rev-list", "-n1", *tips, "--not", "--remotes", at=folder, extra=extra).text:
        kinds.append(NestedKind.UNPUSHED_SUBMODULE)
    return kinds


def _names_commit(git: Git, folder: Path, name: str, extra: Mapping[str, str] | None) -> bool:
    return git.run("rev-parse", "-q", "--verify", name, at=folder, ok=(0, 1), extra=extra).status == 0
