"""Copies of a worktree's index in which git can be let loose, and trees made from listed entries.

The copy keeps the modification time of the original: git takes an entry for unchanged when its file is
older than the index, so a copy that looks newer would hide an edit made in the same tick as the last write.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.ondisk import c_quoted
from worktrees.state import TRUE_STAT, index_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from worktrees.git import Git, GitResult
    from worktrees.listing import Listing


@contextlib.contextmanager
def scratch_folder(git: Git) -> Iterator[Path]:
    """A temporary folder ``snapshot-*`` in planctl's state folder, gone at the end."""
    with step("rescue.scratch"):
        git.repository.state_dir.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=f"snapshot-{os.getpid()}-", dir=git.repository.state_dir)
    try:
        yield Path(folder)
    finally:
        with step("rescue.scratched"):
            shutil.rmtree(folder)


class ScratchIndex:
    """An index file outside of any worktree; ``worktree`` is where its git commands run."""

    def __init__(self, git: Git, worktree: Path, path: Path) -> None:
        self.git = git
        self.worktree = worktree
        self.path = path
        self.variables: Mapping[str, str] = {}
        """What its git commands find in their environment, beside the index."""

    @classmethod
    def copy(cls, git: Git, worktree: Path, source: Path, path: Path) -> ScratchIndex:
        """Copy the index file ``source``, which may be absent (then nothing is tracked)."""
        with step("rescue.copy"), contextlib.suppress(FileNotFoundError):  # an absent index is an empty one
            shutil.copy2(source, path)
        return cls(git, worktree, path)

    def run(
        self, *arguments: str, stdin: bytes | None = None, ok: Sequence[int] = (0,), literal: bool = False
    ) -> GitResult:
        """Run git with this index; ``literal``: paths that it is given are no patterns."""
        extra = {**self.variables, **index_variables(self.path)} | (
            {"GIT_LITERAL_PATHSPECS": "1"} if literal else {}
        )
        arguments = (*TRUE_STAT, *arguments)
        return self.git.run(*arguments, at=self.worktree, stdin=stdin, ok=ok, writes=True, extra=extra)

    def unhide(self, listing: Listing) -> None:
        """Clear the marks that make git take files for unchanged.

        A skip-worktree file that is not on disk keeps its mark: sparse checkouts leave files out, and
        without the mark each of them would be a deletion.
        """
        hidden = listing.hidden(self.worktree)
        for mark, paths in (("--no-assume-unchanged", listing.assumed), ("--no-skip-worktree", hidden)):
            if paths:
                with step("rescue.unhide"):
                    self.run("update-index", "-z", mark, "--stdin", stdin=_joined(paths))

    def set_entries(self, lines: Iterable[str]) -> None:
        """Feed ``MODE SP OBJECT SP STAGE TAB PATH`` lines; mode 0 takes a path out."""
        with step("scratch.entries"):
            self.run("update-index", "-z", "--index-info", stdin=_joined(lines))

    def write_tree(self) -> str:
        """Write the index as a tree; return its id."""
        with step("scratch.tree"):
            return self.run("write-tree").text


def _joined(items: Iterable[str]) -> bytes:
    return "".join(f"{item}\0" for item in items).encode("utf-8", "surrogateescape")


def store_files(git: Git, folder: Path, paths: Sequence[str]) -> list[str]:
    """Write the exact bytes of files below ``folder`` as objects; return their ids in order."""
    if not paths:
        return []
    data = b"".join(c_quoted(path) + b"\n" for path in paths)
    arguments = ("hash-object", "-w", "--no-filters", "--stdin-paths")
    with step("rescue.files"):
        return git.run(*arguments, at=folder, stdin=data, writes=True).text.splitlines()
