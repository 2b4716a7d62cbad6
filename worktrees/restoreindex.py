"""Bring the index and the operation of a rescue back; the files are there already."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.objects import Objects
from worktrees.scratch import ScratchIndex
from worktrees.snapshots import tree_changes

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.snapshots import Snapshot


def restore_index(git: Git, into: Path, git_dir: Path, snapshot: Snapshot, scratch: Path) -> None:
    """Give ``into`` the rescued index.

    It starts from the worktree's own, which is that of the base, so entries that were not changed keep what
    git knows of their files. Raises :class:`FileExistsError` when another git process holds the index.
    """
    index = ScratchIndex.copy(git, into, git_dir / "index", scratch / "restored")
    changes = tree_changes(git, snapshot.base_tree, snapshot.index_tree)
    none = "0" * len(snapshot.commit)
    gone = [c.path for c in changes if c.mode == "000000"]
    unmerged = {path for _, path in snapshot.stages}
    # Removals first: a file and a folder of one name cannot be in an index together.
    index.set_entries(f"0 {none} 0\t{path}" for path in sorted({*gone, *unmerged}))
    index.set_entries(f"{c.mode} {c.object} 0\t{c.path}" for c in changes if c.mode != "000000")
    index.set_entries(
        f"{mode} {oid} {stage}\t{path}" for (stage, path), (mode, oid) in sorted(snapshot.stages.items())
    )
    _intend(index, snapshot.notes.intended)
    with step("restore.draft"):
        index.run("update-index", "-q", "--refresh", ok=(0, 1))
        for mark, paths in (
            ("--assume-unchanged", snapshot.notes.assumed),
            ("--skip-worktree", snapshot.notes.skipped),
        ):
            if paths:
                index.run("update-index", "-z", mark, "--stdin", stdin=_joined(paths))
    _install(index.path, git_dir)


def _intend(index: ScratchIndex, paths: tuple[str, ...]) -> None:
    if paths:
        words = ("add", "-N", "-f", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul")
        index.run(*words, stdin=_joined(paths), literal=True)


def _joined(paths: tuple[str, ...]) -> bytes:
    return "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")


def _install(index: Path, git_dir: Path) -> None:
    """Replace the index the way git does: whole, under its lock, its time kept (see scratch.py)."""
    lock = git_dir / "index.lock"
    with step("restore.index"):
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with os.fdopen(descriptor, "wb") as out, index.open("rb") as source:
                shutil.copyfileobj(source, out)
            known = index.stat()
            os.utime(lock, ns=(known.st_atime_ns, known.st_mtime_ns))
            lock.replace(git_dir / "index")
        except BaseException:
            lock.unlink(missing_ok=True)
            raise


def restore_operation(git: Git, into: Path, git_dir: Path, snapshot: Snapshot) -> None:
    """Write the files and references of the merge, rebase or the like that was in progress."""
    objects = Objects(git.repository)
    for name, oid in snapshot.operation.items():
        path = git_dir / name
        with step("restore.operation"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(objects.read(oid))
    if snapshot.notes.references:
        # Not through References: these belong to the worktree, and planctl's desk has its own.
        lines = [f"update {name}\0{oid}\0\0" for name, oid in snapshot.notes.references.items()]
        data = "".join(lines).encode("utf-8", "surrogateescape")
        with step("restore.references"):
            git.run("update-ref", "-z", "--stdin", at=into, stdin=data, writes=True)
