"""Path by path: what of the user's is in a landing's way, and how files come along after a crash.

A file may be replaced without losing anything when it holds the old content, the new content, a beginning
of the new one (a write of ours that a crash cut short), or nothing at all. A folder may not, nor what is
behind a link or a file that stands where one of the path's folders was.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from worktrees.changedpaths import ALL_SUBMODULES, GITLINK, changed_between
from worktrees.errors import GitRefusedError
from worktrees.occupied import holds_anything, is_barred, occupied, replaced_submodules
from worktrees.subfollow import submodules_in_the_way

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from worktrees.changedpaths import Changed
    from worktrees.git import Git

_IS_SPARSE: Final = ("config", "--type=bool", "--default=false", "core.sparseCheckout")


def staged_against(git: Git, top: Path, commit: str, extra: Mapping[str, str] | None = None) -> set[str]:
    """The paths that the checkout's index has otherwise than ``commit``; ``extra`` may name another index."""
    look = ("diff-index", "--cached", "--name-only", "-z", "--no-renames", ALL_SUBMODULES, commit)
    return {*git.run(*look, at=top, extra=extra).records}


def in_the_way(git: Git, top: Path, index: Path, old: str, new: str) -> tuple[str, ...]:
    """Paths that the landing changes and where the user has work: staged, unstaged, or untracked.

    ``index`` is a refreshed copy of the checkout's index.
    """
    extra = {"GIT_INDEX_FILE": str(index)}
    changed = changed_between(git, old, new)
    staged = staged_against(git, top, old, extra)
    # whatever the repository has git ignore in submodules: what is edited there may be lost
    look = ("diff-files", "--name-only", "-z", "--ignore-submodules=untracked")
    edited = {*git.run(*look, at=top, extra=extra).records}
    blocked = {c.path for c in changed if c.path in staged or c.path in edited}
    blocked |= occupied(top, changed) | replaced_submodules(top, changed)
    return tuple(sorted(blocked | submodules_in_the_way(git, top, changed)))


def unwritable(git: Git, top: Path, old: str, new: str) -> tuple[str, ...]:
    """Paths that the landing changes and that cannot be written or removed there.

    ``read-tree`` only warns of what it cannot unlink, and says that all is well.
    """
    folders: dict[Path, bool] = {}
    found = []
    for change in changed_between(git, old, new):
        folder = (top / change.path).parent
        while not folder.is_dir():  # not there yet, or a file that makes room for it
            folder = folder.parent
        if folder not in folders:
            folders[folder] = os.access(folder, os.W_OK | os.X_OK)
        if not folders[folder]:
            found.append(change.path)
    return tuple(found)


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
        elif change.new_mode == GITLINK:
            _make_room(top / change.path)
        else:
            write.append(change.path)
    for command, items in (
        (("update-index", "-z", "--index-info"), lines),
        (("checkout-index", "-f", "-u", "-z", "--stdin"), write),
    ):
        git.run(*command, at=top, extra=extra, stdin=_joined(items), writes=True, descriptors=descriptors)
    if git.run(*_IS_SPARSE, at=top).text == "true":  # what the checkout leaves out goes again
        git.run("read-tree", "-m", "-u", new, at=top, extra=extra, writes=True, descriptors=descriptors)
    return tuple(kept)


def _joined(items: list[str]) -> bytes:
    return b"".join(item.encode("utf-8", "surrogateescape") + b"\0" for item in items)


def _is_replaceable(git: Git, top: Path, change: Changed) -> bool:
    path = top / change.path
    if not os.path.lexists(path):
        return change.is_deleted or not is_barred(top, change.path)
    if is_barred(top, change.path):
        return False
    if path.is_symlink():
        return _link_id(git, os.fsencode(path.readlink())) in (change.old, change.new)
    if path.is_dir():
        return _makes_room(path, change)
    found = git.run("hash-object", f"--path={change.path}", "--", str(path), at=top).text
    if found in (change.old, change.new):
        return True
    comes = not change.is_deleted and change.new_mode != GITLINK
    return comes and _is_beginning(git, top, path, change)


def _makes_room(folder: Path, change: Changed) -> bool:
    """A folder stays what it is, a submodule's or one of the landing's own; only an empty one goes."""
    return change.is_deleted or change.new_mode == GITLINK or not holds_anything(folder)


def _make_room(path: Path) -> None:
    """A submodule that is not checked out is an empty folder."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        path.mkdir(parents=True)


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
    if path.is_dir() and not path.is_symlink():
        if holds_anything(path):
            return  # what was a submodule: git leaves it too
        path.rmdir()
    else:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # its folder is a file by now
            path.unlink()
    for folder in path.parents:
        if folder == top or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()
