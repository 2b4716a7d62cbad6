"""Path by path: what of the user's is in a landing's way, and how files come along after a crash.

A file may be replaced without losing anything when it holds the old content, the new content, a beginning
of the new one (a write of ours that a crash cut short), or nothing at all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from worktrees.errors import GitRefusedError
from worktrees.subfollow import GITLINK, submodules_in_the_way

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git

_NOTHING = "0" * 40
_SYMLINK = "120000"


@dataclass(frozen=True, slots=True)
class Changed:
    """A path that differs between two commits; a mode of ``000000`` says that it is not there."""

    path: str
    old_mode: str
    new_mode: str
    old: str
    new: str

    @property
    def is_added(self) -> bool:
        """Whether the path is new."""
        return self.old == _NOTHING

    @property
    def is_deleted(self) -> bool:
        """Whether the path goes away."""
        return self.new == _NOTHING


@lru_cache(maxsize=8)
def changed_between(git: Git, old: str, new: str) -> tuple[Changed, ...]:
    """The paths that differ between the trees of two commits, without renames; asked thrice a landing."""
    fields = git.run("diff-tree", "-r", "-z", "--no-renames", "--raw", old, new).records
    found = []
    for info, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, new_mode, old_id, new_id, _ = info.removeprefix(":").split()
        found.append(Changed(path, old_mode, new_mode, old_id, new_id))
    return tuple(found)


def in_the_way(git: Git, top: Path, index: Path, old: str, new: str) -> tuple[str, ...]:
    """Paths that the landing changes and where the user has work: staged, unstaged, or untracked.

    ``index`` is a refreshed copy of the checkout's index.
    """
    extra = {"GIT_INDEX_FILE": str(index)}
    changed = changed_between(git, old, new)
    staged = {
        *git.run(
            "diff-index", "--cached", "--name-only", "-z", "--no-renames", old, at=top, extra=extra
        ).records
    }
    edited = {*git.run("diff-files", "--name-only", "-z", at=top, extra=extra).records}
    tracked_now = {c.path for c in changed if not c.is_added}
    blocked = {c.path for c in changed if c.path in staged or c.path in edited}
    blocked |= {c.path for c in changed if c.is_added and _occupied(top, c.path, tracked_now)}
    return tuple(sorted(blocked | submodules_in_the_way(git, top, changed)))


def unwritable(git: Git, top: Path, old: str, new: str) -> tuple[str, ...]:
    """Paths that the landing changes and that cannot be written or removed there.

    ``read-tree`` only warns of what it cannot unlink, and says that all is well.
    """
    folders: dict[Path, bool] = {}
    found = []
    for change in changed_between(git, old, new):
        folder = (top / change.path).parent
        while not folder.exists():
            folder = folder.parent
        if folder not in folders:
            folders[folder] = os.access(folder, os.W_OK | os.X_OK)
        if not folders[folder]:
            found.append(change.path)
    return tuple(found)


def _occupied(top: Path, path: str, tracked: set[str]) -> bool:
    """Whether something untracked stands where a new file is to come, or where one of its folders is."""
    if os.path.lexists(top / path):
        return not (top / path).is_dir() or _holds_files(top / path, path, tracked)
    parent = os.path.dirname(path)  # noqa: PTH120 - a path of git's, with slashes
    while parent:
        full = top / parent
        if os.path.lexists(full) and (full.is_symlink() or not full.is_dir()):
            return parent not in tracked
        parent = os.path.dirname(parent)  # noqa: PTH120 - as above
    return False


def _holds_files(folder: Path, path: str, tracked: set[str]) -> bool:
    """A folder in the way of a file holds nothing of the user's if all its files go with the landing."""
    if folder.is_symlink():
        return True
    for root, _, names in os.walk(folder):
        below = os.path.relpath(root, folder)
        for name in names:
            inside = name if below == "." else f"{below}/{name}"
            if f"{path}/{inside}" not in tracked:
                return True
    return False


def bring_along(
    git: Git, top: Path, index: Path, landing: tuple[str, str], descriptors: tuple[int, ...] = ()
) -> tuple[str, ...]:
    """Bring every changed path that is not the user's to the new commit, in the files and in ``index``.

    ``landing`` is the old and the new commit. Returns the paths that are the user's: left as they are, with
    the index at the new commit.
    """
    extra = {"GIT_INDEX_FILE": str(index)}
    old, new = landing
    kept: list[str] = []
    lines: list[str] = []
    write: list[str] = []
    # a folder that makes room for a file goes before the file comes
    for change in sorted(changed_between(git, old, new), key=lambda change: not change.is_deleted):
        lines.append(f"{change.new_mode if not change.is_deleted else '0'} {change.new}\t{change.path}")
        if not _is_replaceable(git, top, change):
            kept.append(change.path)
        elif change.is_deleted:
            _remove(top, change.path)
        elif change.new_mode != GITLINK:
            write.append(change.path)
    for command, items in (
        (("update-index", "-z", "--index-info"), lines),
        (("checkout-index", "-f", "-u", "-z", "--stdin"), write),
    ):
        git.run(*command, at=top, extra=extra, stdin=_joined(items), writes=True, descriptors=descriptors)
    return tuple(kept)


def _joined(items: list[str]) -> bytes:
    return b"".join(item.encode("utf-8", "surrogateescape") + b"\0" for item in items)


def _is_replaceable(git: Git, top: Path, change: Changed) -> bool:
    path = top / change.path
    if _leads_elsewhere(top, change.path):
        return False
    if not os.path.lexists(path) or GITLINK in (change.old_mode, change.new_mode):
        return True
    if path.is_symlink():
        return _link_id(git, os.fsencode(path.readlink())) in (change.old, change.new)
    if path.is_dir():
        return False
    found = git.run("hash-object", f"--path={change.path}", "--", str(path), at=top).text
    if found in (change.old, change.new):
        return True
    return not change.is_deleted and _is_beginning(git, top, path, change)


def _leads_elsewhere(top: Path, name: str) -> bool:
    """Whether the user put a link where one of the path's folders was: what is behind it is not the path."""
    parts = name.split("/")[:-1]
    return any((top / "/".join(parts[: n + 1])).is_symlink() for n in range(len(parts)))


def _link_id(git: Git, target: bytes) -> str:
    return git.run("hash-object", "--stdin", stdin=target).text


def _is_beginning(git: Git, top: Path, path: Path, change: Changed) -> bool:
    try:
        new = git.run("cat-file", "--filters", f"--path={change.path}", change.new, at=top).output
    except GitRefusedError:
        return False
    return new.startswith(path.read_bytes())


def _remove(top: Path, name: str) -> None:
    path = top / name
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == top or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()
