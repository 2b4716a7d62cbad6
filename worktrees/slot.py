"""A slot: one worktree of the pool, where git keeps its metadata, and how git is run in it.

Metadata folders are read as gitrepository-layout(5) describes them: ``<common>/worktrees/<id>/gitdir`` names
the worktree's ``.git`` file, which names the folder back. No process is started.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from worktrees.errors import RescueIncompleteError
from worktrees.symbolic import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from worktrees.git import Git, GitResult

PLAN: Final = "slot"
CHECK: Final = "check"
_NAME: Final = re.compile(rf"(?:{PLAN}|{CHECK})-[0-9]{{2,4}}")


@dataclass(frozen=True, slots=True)
class SlotTree:
    """A worktree of the pool. ``git_dir`` is its own metadata folder inside the common git folder."""

    name: str
    path: Path
    git_dir: Path


@dataclass(frozen=True, slots=True)
class SlotOptions:
    """How a slot is made ready, from ``planctl.yaml``.

    ``copy`` and ``link`` are patterns of ignored files of the main checkout, ``sparse`` those of
    git-sparse-checkout (all plain folders: cone mode). ``reuse_caches`` False deletes ignored files, too,
    when a slot is used again.

    ``before_clean`` is called with the slot before files are lost that were ignored when it was rescued. It
    keeps everything that git reports there by then, and the ignored files named; what it raises leaves
    them where they are. Without it they are lost.
    """

    copy: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    sparse: tuple[str, ...] = ()
    reuse_caches: bool = True
    submodules: bool = True
    before_clean: Callable[[SlotTree, Sequence[str]], object] | None = None


def slot_name(purpose: str, number: int) -> str:
    """``slot-01`` for plans, ``check-01`` for checks; numbers count from 1."""
    return f"{purpose}-{number:02d}"


def slot_path(folder: Path, name: str) -> Path:
    """Where the slot of that name lies in the pool; raises :class:`ValueError` for any other name."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a slot")
    return folder / name


def registered(common_dir: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (metadata folder, worktree folder) of every linked worktree, the user's included.

    Entries that another process is just making or removing are passed over.
    """
    root = common_dir / "worktrees"
    for git_dir in sorted(root.iterdir()) if root.is_dir() else ():
        worktree = worktree_of(git_dir)
        if worktree is not None:
            yield git_dir, worktree


def worktree_of(git_dir: Path) -> Path | None:
    """The folder that a metadata folder names, or None where it names none (yet)."""
    text = read_text(git_dir / "gitdir")
    if not text:
        return None
    return Path(os.path.normpath(git_dir / text)).parent  # relative since git 2.48, if configured so


def slots(common_dir: Path, folder: Path) -> tuple[SlotTree, ...]:
    """The slots of the pool in ``folder``, by name; their folders may have been deleted."""
    found = [
        SlotTree(path.name, path, git_dir)
        for git_dir, path in registered(common_dir)
        if path.parent == folder and _NAME.fullmatch(path.name)
    ]
    return tuple(sorted(found, key=lambda tree: tree.name))


def is_gone(tree: SlotTree) -> bool:
    """Whether the slot's folder was deleted, or emptied of everything, its ``.git`` file included."""
    return not os.path.lexists(tree.path) or (tree.path.is_dir() and not any(tree.path.iterdir()))


def require_intact(tree: SlotTree) -> None:
    """Raise :class:`RescueIncompleteError` unless folder and metadata name each other.

    Nothing that deletes may run otherwise: git would find another repository, perhaps the user's.
    """
    text = read_text(tree.path / ".git") or ""
    points_to = Path(os.path.normpath(tree.path / text.removeprefix("gitdir:").strip()))
    named = worktree_of(tree.git_dir)
    if not text.startswith("gitdir:") or not _same(points_to, tree.git_dir):
        raise RescueIncompleteError(tree.path, "its .git file no longer names the slot's own metadata")
    if named is None or not _same(named, tree.path):
        raise RescueIncompleteError(tree.path, "its metadata names another folder")
    if tree.path.is_symlink():
        raise RescueIncompleteError(tree.path, "it was replaced by a symbolic link")


def run_in(
    git: Git,
    tree: SlotTree,
    *arguments: str,
    stdin: bytes | None = None,
    ok: Collection[int] = (0,),
    descriptors: tuple[int, ...] = (),
    index: Path | None = None,
) -> GitResult:
    """Run git in the slot, with the repository and the folder pinned.

    Pinned because discovery walks up: in a slot without its ``.git`` file, ``clean`` would clean whatever
    checkout lies around the pool. ``index`` replaces the slot's own for this call.
    """
    pinned = {"GIT_DIR": str(tree.git_dir), "GIT_WORK_TREE": str(tree.path)}
    if index is not None:
        pinned["GIT_INDEX_FILE"] = str(index)
    return git.run(
        *arguments, at=tree.path, stdin=stdin, ok=ok, writes=True, extra=pinned, descriptors=descriptors
    )


def _same(one: Path, other: Path) -> bool:
    return one == other or os.path.realpath(one) == os.path.realpath(other)
