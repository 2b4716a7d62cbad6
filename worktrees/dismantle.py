"""What is left of planctl in a repository, taken away: references, empty folders, the state folder.

Nothing here decides what is work: the caller names what goes. The state folder goes by rename first, so that
what a killed removal leaves is never taken for a store.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.beside import drafts_beside, tops
from worktrees.links import FOLDER
from worktrees.pointer import clear_pointer
from worktrees.removal import delete_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.repository import Repository

REFERENCES: Final = "refs/planctl/"
_GONE: Final = "planctl.removed"


def unreachable(git: Git, commits: Collection[str], staying: Iterable[str]) -> frozenset[str]:
    """Those of ``commits`` that no object in ``staying`` (what references point at) leads to."""
    if not commits:
        return frozenset()
    lines = [*sorted(commits), *(f"^{o}" for o in sorted(set(staying)))]
    listed = git.run("rev-list", "--stdin", stdin="".join(f"{line}\n" for line in lines).encode("ascii"))
    return frozenset(listed.text.split()) & frozenset(commits)


def remove_drafts(repository: Repository) -> None:
    """Remove what killed writers left beside the user's files; the caller knows that no writer is at work."""
    for path in drafts_beside(repository):
        delete_tree(path)


def clear_pointers(repository: Repository) -> tuple[Path, ...]:
    """Take the plan pointers out of the user's own checkouts; returns the checkouts that had one."""
    found = [top for top in tops(repository) if (top / ".planctl" / "current-plan").is_file()]
    for top in found:
        clear_pointer(top)
    return tuple(found)


def remove_pool_folder(folder: Path) -> bool:
    """Remove the empty folder of a pool and the links to its slots; False where something else is in it."""
    links = folder / FOLDER
    with step("dismantle.pool"):
        for link in links.iterdir() if links.is_dir() and not links.is_symlink() else ():
            if link.is_symlink():
                link.unlink()
        for empty in (links, folder):
            with contextlib.suppress(OSError):  # not there, or somebody's files are in it
                empty.rmdir()
    return not os.path.lexists(folder)


def remove_empty_folders(repository: Repository) -> None:
    """Remove what deleted references leave: empty folders, those of their logs too."""
    for name in ("refs/planctl", "logs/refs/planctl"):
        top = repository.common_dir / name
        with step("dismantle.folders"):
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):  # a reference that stays is in it
                    os.rmdir(folder)  # noqa: PTH106 - names of a walk


def remove_state(repository: Repository) -> None:
    """Take planctl's own folder away; whoever was killed in it is finished by :func:`remove_leftovers`."""
    if repository.state_dir.exists():
        away = repository.common_dir / f"{_GONE}-{os.getpid()}"
        delete_tree(away)
        with step("dismantle.state"):
            repository.state_dir.rename(away)
    remove_leftovers(repository)


def remove_leftovers(repository: Repository) -> bool:
    """Delete state folders whose removal was begun; whether there were any."""
    found = sorted(repository.common_dir.glob(f"{_GONE}-*"))
    for folder in found:
        delete_tree(folder)
    return bool(found)
