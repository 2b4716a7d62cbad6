"""Bring back what a snapshot keeps aside: repositories inside a worktree, and names that git refuses.

Git folders that lay in the metadata of the rescued worktree (those of submodules) come back as the folder
``.git`` of the submodule itself; everything else where it was. A submodule that is filled here is replaced
only when nothing at all in it would be lost.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.metadata_lock import metadata_lock
from worktrees.nested import judge
from worktrees.objects import Objects
from worktrees.removal import delete_tree
from worktrees.replacement import NewFile, Replacement, in_the_way, put_files
from worktrees.restoreerrors import RestoreRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from worktrees.aside import Aside
    from worktrees.git import Git
    from worktrees.replacement import Watch
    from worktrees.restoretarget import Target


def aside_in_the_way(
    git: Git, into: Path, aside: Aside, tracked: frozenset[str], links: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands where something kept aside has to go, and the submodules that may be replaced.

    ``links`` are the submodules in the index of ``into``.
    """
    paths = [kept.path for kept in aside.kept if not kept.is_folder]
    filled = [
        link for link in links
        if any(path.startswith(f"{link}/") for path in paths) and any(_entries(into / link))
    ]  # fmt: skip
    clean = tuple(link for link in filled if _has_nothing_of_its_own(git, into, link))
    found = in_the_way(into, Replacement((), tuple(NewFile(p, "", "", None) for p in paths)), tracked)
    return tuple(p for p in found if not any(p.startswith(f"{link}/") for link in clean)), clean


def _entries(folder: Path) -> list[str]:
    return [place.name for place in folder.iterdir()] if folder.is_dir() and not folder.is_symlink() else []


def _has_nothing_of_its_own(git: Git, into: Path, link: str) -> bool:
    if judge(git, into, link):
        return False
    ignored = ("ls-files", "--others", "--directory", "-z")
    return not git.run(*ignored, at=into / link).records


def put_aside(target: Target, aside: Aside, replaced: Sequence[str], watch: Watch) -> None:
    """Write it all; see :func:`aside_in_the_way` for what was asked before. Raises :class:`OSError`."""
    git, into = target.git, target.into
    for link in replaced:
        watch(link)
        for name in _entries(into / link):
            delete_tree(into / link / name)
    folders = sorted((kept for kept in aside.kept if kept.is_folder), key=lambda kept: kept.path)
    with step("restore.folders"):
        for kept in folders:
            watch(kept.path)
            (into / kept.path).mkdir(parents=True, exist_ok=True)
    files = [
        NewFile(kept.path, "100644", kept.object, kept.permissions)
        for kept in aside.kept
        if kept.object is not None
    ]
    put_files(Objects(git.repository), into, Replacement((), tuple(files)), watch)
    with step("restore.links"):
        for kept in aside.kept:
            if kept.target is not None:
                watch(kept.path)
                (into / kept.path).unlink(missing_ok=True)
                (into / kept.path).symlink_to(kept.target)
                watch.written(kept.path)
    for path in aside.embedded:
        with step("restore.embedded"):
            words = ("config", "-f", str(into / path / "config"), "--unset-all", "core.worktree")
            git.run(*words, ok=(0, 5))
        watch.written(f"{path}/config")
    with step("restore.permissions"):
        for kept in reversed(folders):
            (into / kept.path).chmod(kept.permissions)


def put_worktrees(target: Target, aside: Aside, watch: Watch, restore: Callable[[str, Path], object]) -> None:
    """Make the linked worktrees of the same repository that were inside anew; ``restore`` fills one."""
    git, into = target.git, target.into
    for path, commit in aside.worktrees.items():
        base = git.run("rev-parse", "--verify", f"{commit}^1").text
        watch(path)
        with metadata_lock(git.repository), step("restore.worktree"):
            words = ("worktree", "add", "-q", "--detach", "--", str(into / path), base)
            git.run(*words, writes=True, descriptors=target.held)
        restore(commit, into / path)


def require_room(into: Path, aside: Aside) -> None:
    """Raise :class:`RestoreRefusedError` where a linked worktree would have to be made in a full folder."""
    full = [path for path in aside.worktrees if os.path.lexists(into / path) and any(_entries(into / path))]
    if full:
        raise RestoreRefusedError(into, f"{full[0]} is in the way", full)
