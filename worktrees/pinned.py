"""git in one worktree whose folder and metadata are given, not discovered.

Discovery walks up: in a worktree without its ``.git`` file git would look at whatever checkout lies around
it. And a worktree whose ``.git`` is damaged still has its metadata, and so its work.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from worktrees.git import Git

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from worktrees.git import GitResult
    from worktrees.repository import Repository

_COUNT: Final = "GIT_CONFIG_COUNT"


class PinnedGit(Git):
    """A :class:`Git` whose calls with ``at=worktree`` work on exactly this metadata and folder.

    There a filter that fails does not fail the command: git then takes the bytes as they are, which is
    what a snapshot wants (an LFS program that is missing must not keep work from being saved).
    """

    def __init__(self, repository: Repository, worktree: Path, git_dir: Path) -> None:
        super().__init__(repository)
        self.worktree = worktree
        self._pins: dict[str, str] = {"GIT_DIR": str(git_dir), "GIT_WORK_TREE": str(worktree)}
        self._pins |= self._lenient()

    def run(
        self,
        *arguments: str,
        at: Path | None = None,
        extra: Mapping[str, str] | None = None,
        **rest: Any,
    ) -> GitResult:
        """As :meth:`Git.run`."""
        pins = self._pins if at == self.worktree else {}
        return super().run(*arguments, at=at, extra={**pins, **(extra or {})}, **rest)

    def _lenient(self) -> dict[str, str]:
        """Configuration, by environment, that makes no filter ``required``; none where git cannot say."""
        asked = ("config", "--name-only", "-z", "--get-regexp", r"^filter\..*\.required$")
        names = dict.fromkeys(self.run(*asked, at=self.worktree, ok=()).records)
        first = os.environ.get(_COUNT, "0")
        start = int(first) if first.isdecimal() else 0
        variables = {_COUNT: str(start + len(names))} if names else {}
        for number, name in enumerate(names, start):
            variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": "false"}
        return variables
