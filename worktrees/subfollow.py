"""Submodules in the user's checkout when a landing moves them to another commit.

Git leaves a submodule's files as they are when the commit that names them moves; it then looks edited, and
the user's next ``git commit -a`` would put the old commit back. So one that is checked out, clean and at the
old commit is brought to the new one, if its own repository has that commit and nothing untracked or ignored
stands where a file is to come; else it is in the way. One that is not checked out looks clean whatever the
commit is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.changedpaths import ALL_SUBMODULES, GITLINK, changed_between
from worktrees.errors import GitFailedError
from worktrees.occupied import occupied, replaced_submodules
from worktrees.state import operation_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worktrees.changedpaths import Changed
    from worktrees.git import Git


_DIRT: Final = ("status", "--porcelain", "-z", "--untracked-files=no", ALL_SUBMODULES)


def submodules_in_the_way(git: Git, top: Path, changed: Sequence[Changed]) -> set[str]:
    """Those that move and cannot be brought along, although they are checked out."""
    return {change.path for change in _moved(top, changed) if not _can_follow(git, top, change)}


def bring_submodules(git: Git, top: Path, changed: Sequence[Changed]) -> tuple[str, ...]:
    """Bring those that stand at the old commit to the new one; return those left as they are, sorted."""
    left = []
    for change in _moved(top, changed):
        if _head(git, top / change.path) == change.new:
            continue
        try:
            with step("checkout.submodule"):
                _require_old(git, top, change)
                where = ("--detach", change.new, "--")
                git.run("checkout", "-q", "--no-overwrite-ignore", *where, at=top / change.path, writes=True)
        except GitFailedError:
            left.append(change.path)
    return tuple(sorted(left))


def _moved(top: Path, changed: Sequence[Changed]) -> Iterator[Changed]:
    """Submodules that are one before and after, and are checked out."""
    for change in changed:
        if change.old_mode == change.new_mode == GITLINK and (top / change.path / ".git").exists():
            yield change


def _can_follow(git: Git, top: Path, change: Changed) -> bool:
    folder = top / change.path
    try:
        _require_old(git, top, change)
        git.run("cat-file", "-e", f"{change.new}^{{commit}}", at=folder)
        inside = changed_between(git, change.old, change.new, folder)
    except GitFailedError:
        return False
    return not occupied(folder, inside) and not replaced_submodules(folder, inside)


def _require_old(git: Git, top: Path, change: Changed) -> None:
    """Raise :class:`GitFailedError` unless the submodule is clean, at rest and at the old commit."""
    folder = top / change.path
    git_dir = Path(git.run("rev-parse", "--absolute-git-dir", at=folder).text)
    dirt = git.run(*_DIRT, at=folder).records
    if dirt or operation_in(git_dir) or _head(git, folder) != change.old:
        raise GitFailedError(("status",), 1, f"{change.path} is not as it was")


def _head(git: Git, folder: Path) -> str:
    return git.run("rev-parse", "--verify", "--quiet", "HEAD", at=folder, ok=(0, 1)).text
