"""Conflict markers that a merge left in a file and nobody took out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from worktrees.git import Git

SIZE: Final = 7
"""Characters of a marker, where no ``conflict-marker-size`` says otherwise."""
_BINARY: Final = 8000


def has_conflict(git: Git, worktree: Path, path: str) -> bool:
    """Whether the file at ``path`` holds more whole conflicts than it does in HEAD.

    A conflict is ``<<<<<<< ``, ``=======`` and ``>>>>>>> ``, each at the start of a line, in this order: a
    heading underlined with seven ``=`` is none, and neither are the examples of a test or a manual that was
    committed on purpose. What git takes for binary has none.
    """
    file = worktree / path
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as content:
        if b"\0" in content.read(_BINARY):
            return False
        content.seek(0)
        now = count_conflicts(content)
    if not now:
        return False
    before = git.run("cat-file", "blob", f"HEAD:{path}", at=worktree, ok=())
    return before.status != 0 or now > count_conflicts(before.output.splitlines())


def count_conflicts(lines: Iterable[bytes], size: int = SIZE) -> int:
    """The number of whole conflicts in ``lines`` whose markers are of ``size``, in one pass."""
    begin, middle, end = b"<" * size + b" ", b"=" * size, b">" * size + b" "
    count, stage = 0, 0
    for line in lines:
        if line.startswith(begin):
            stage = 1
        elif stage == 1 and line.rstrip(b"\r\n") == middle:
            stage = 2
        elif line.startswith(end):
            count += stage == 2  # noqa: PLR2004 - the third line of three
            stage = 0
    return count
