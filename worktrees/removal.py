"""Folders that planctl made are taken away by rename first: a killed removal leaves nothing half believable.

1. the worktree folder is renamed to ``<pool>/.removing-<slot>``
2. its metadata folder is moved to ``<state>/trash/<slot>``; from here on git knows no such worktree
3. both are deleted

Steps 1 and 2 are done under the metadata lock. Killed in between, the next removal or making of the slot or
``Pool.prune`` goes on. What the slot held was kept before step 1: it is not looked at again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.metadata_lock import metadata_lock
from worktrees.slot import registered

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.repository import Repository

_PREFIX: Final = ".removing-"


def detach_folders(repository: Repository, path: Path, half_made: Path | None = None) -> None:
    """Steps 1 and 2, for the slot at ``path``; the caller holds the metadata lock.

    ``half_made`` is a metadata folder of ours that may not yet name its worktree.
    """
    trash = repository.state_dir / "trash" / path.name
    entries = [git_dir for git_dir, worktree in registered(repository.common_dir) if worktree == path]
    if half_made is not None and half_made.is_dir() and not (half_made / "gitdir").exists():
        entries.append(half_made)
    if os.path.lexists(path):
        away = path.with_name(_PREFIX + path.name)
        delete_tree(away)
        with step("removal.folder"):
            path.rename(away)
    for number, git_dir in enumerate(entries):
        away = trash / str(number)
        delete_tree(away)
        with step("removal.metadata"):
            trash.mkdir(parents=True, exist_ok=True)
            git_dir.rename(away)
    with contextlib.suppress(OSError), step("removal.empty_folders"):  # others still live there
        (repository.common_dir / "worktrees").rmdir()


def is_begun(path: Path) -> bool:
    """Whether step 1 of the removal of the slot at ``path`` was done, and not yet step 3."""
    return os.path.lexists(path.with_name(_PREFIX + path.name))


def finish(repository: Repository, path: Path) -> bool:
    """Go on with a removal of the slot at ``path``; whether one was begun. The caller holds its journal.

    A folder that somebody has put into its place since is theirs: then the metadata stays as well.
    """
    begun = is_begun(path)
    if begun and not os.path.lexists(path):
        with metadata_lock(repository):
            detach_folders(repository, path)
    delete_detached(repository, path)
    return begun


def delete_detached(repository: Repository, path: Path) -> None:
    """Step 3, without any lock. What is deleted here is in no worktree any more."""
    delete_tree(path.with_name(_PREFIX + path.name))
    delete_tree(repository.state_dir / "trash" / path.name)
    with contextlib.suppress(OSError), step("removal.empty_folders"):  # other slots are in it
        path.parent.rmdir()


def detached(repository: Repository, folder: Path) -> tuple[str, ...]:
    """The names of slots of the pool ``folder`` whose removal was begun and not finished."""
    renamed = {p.name.removeprefix(_PREFIX) for p in folder.glob(f"{_PREFIX}*")}
    return tuple(sorted(renamed | {p.name for p in (repository.state_dir / "trash").glob("*")}))


def delete_tree(path: Path) -> None:
    """Delete a file, link or folder with all it holds; links are not followed. Harmless when it is gone.

    Folders without write permission (module caches are made so) are given it first. Raises :class:`OSError`.
    """
    if not os.path.lexists(path):
        return
    with step("removal.delete"):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return
        try:
            shutil.rmtree(path)
        except PermissionError:
            _make_writable(path)
            shutil.rmtree(path)


def _make_writable(path: Path) -> None:
    path.chmod(0o700)
    for root, folders, _ in os.walk(path):
        for name in folders:
            if not os.path.islink(os.path.join(root, name)):  # noqa: PTH114, PTH118 - names of a walk
                os.chmod(os.path.join(root, name), 0o700)  # noqa: PTH101, PTH118 - as above
