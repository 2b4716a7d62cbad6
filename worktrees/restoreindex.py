"""Bring the index and the operation of a rescue back; the files are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.objects import Objects
from worktrees.restorejournal import install_index
from worktrees.scratch import ScratchIndex
from worktrees.snapshot import tree_entries
from worktrees.snapshots import tree_changes

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.collision import Decision
    from worktrees.restoretarget import Target
    from worktrees.snapshots import Snapshot


def restore_index(target: Target, snapshot: Snapshot, scratch: Path, decision: Decision) -> None:
    """Give the worktree the rescued index, but for entries that the decision leaves as they are.

    It starts from the worktree's own, which is that of the base where nothing was changed, so such entries
    keep what git knows of their files. Raises :class:`FileExistsError` when another git holds the index.
    """
    git, into, git_dir = target.git, target.into, target.git_dir
    index = ScratchIndex.copy(git, into, git_dir / "index", scratch / "restored")
    left = decision.left
    changes = [c for c in tree_changes(git, snapshot.base_tree, snapshot.index_tree) if c.path not in left]
    stages = {at: entry for at, entry in snapshot.stages.items() if at[1] not in left}
    entries = {c.path: (c.mode, c.object) for c in changes if c.mode != "000000"}
    if decision.taken:
        whole = tree_entries(git, snapshot.index_tree)
        entries |= {path: whole[path] for path in decision.taken if path in whole}
    gone = {c.path for c in changes if c.mode == "000000"} | {path for _, path in stages}
    gone |= decision.taken - entries.keys()
    none = "0" * len(snapshot.commit)
    # Removals first: a file and a folder of one name cannot be in an index together.
    index.set_entries(f"0 {none} 0\t{path}" for path in sorted(gone))
    index.set_entries(f"{mode} {oid} 0\t{path}" for path, (mode, oid) in sorted(entries.items()))
    index.set_entries(
        f"{mode} {oid} {stage}\t{path}" for (stage, path), (mode, oid) in sorted(stages.items())
    )
    notes = snapshot.notes
    _intend(index, tuple(path for path in notes.intended if path not in left))
    with step("restore.draft"):
        index.run("update-index", "-q", "--refresh", ok=(0, 1))
        for mark, marked in (("--assume-unchanged", notes.assumed), ("--skip-worktree", notes.skipped)):
            if paths := tuple(path for path in marked if path not in left):
                index.run("update-index", "-z", mark, "--stdin", stdin=_joined(paths))
    install_index(index.path, git_dir, target.folder)


def _intend(index: ScratchIndex, paths: tuple[str, ...]) -> None:
    if paths:
        words = ("add", "-N", "-f", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul")
        index.run(*words, stdin=_joined(paths), literal=True)


def _joined(paths: tuple[str, ...]) -> bytes:
    return "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")


def operation_paths(snapshot: Snapshot) -> tuple[str, ...]:
    """The files in git's folder that :func:`restore_operation` writes; such references are always loose."""
    return (*snapshot.operation, *snapshot.notes.references)


def restore_operation(target: Target, snapshot: Snapshot) -> None:
    """Write the files and references of the merge, rebase or the like that was in progress."""
    git = target.git
    objects = Objects(git.repository)
    for name, oid in snapshot.operation.items():
        path = target.git_dir / name
        with step("restore.operation"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(objects.read(oid))
    if snapshot.notes.references:
        # Not through References: these belong to the worktree, and planctl's desk has its own.
        lines = [f"update {name}\0{oid}\0\0" for name, oid in snapshot.notes.references.items()]
        data = "".join(lines).encode("utf-8", "surrogateescape")
        with step("restore.references"):
            git.run(
                "update-ref",
                "-z",
                "--stdin",
                at=target.into,
                stdin=data,
                writes=True,
                descriptors=target.held,
            )
