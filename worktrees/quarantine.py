"""A place for objects that nobody is to keep: they see the repository's, and are gone at the end.

Nothing is written into the repository, so nothing needs a flush, a reference or the write lock.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.ondisk import c_quoted
from worktrees.scratch import ScratchIndex, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from worktrees.git import Git, GitResult

UNFLUSHED: Final = ("-c", "core.fsync=none")
"""No power cut can take what nobody is to keep."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """``folder`` is free for scratch files; objects that :meth:`run` makes go into its ``objects``."""

    git: Git
    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """The environment that sends new objects here."""
        own = os.fsdecode(c_quoted(str(self.git.repository.common_dir / "objects")))
        return {
            "GIT_OBJECT_DIRECTORY": str(self.folder / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": own,
        }

    def run(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        ok: Collection[int] = (0,),
        work_tree: Path | None = None,
    ) -> GitResult:
        """Run git at the desk; see :meth:`Git.run`."""
        words = (*UNFLUSHED, *arguments)
        with step("quarantine.write"):
            return self.git.run(*words, stdin=stdin, ok=ok, work_tree=work_tree, extra=self.variables)

    def index_of(self, worktree: Path, git_dir: Path, name: str) -> ScratchIndex:
        """A copy of a worktree's index whose objects stay here."""
        index = ScratchIndex.copy(self.git, worktree, git_dir / "index", self.folder / name)
        index.variables = self.variables
        return index


@contextlib.contextmanager
def quarantine(git: Git) -> Iterator[Quarantine]:
    """A quarantine for as long as this lasts."""
    git.ensure_desk()
    with scratch_folder(git) as folder:
        with step("quarantine.make"):
            (folder / "objects").mkdir()
        yield Quarantine(git, folder)
