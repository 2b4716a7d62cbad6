"""The files in a worktree's git folder that say what it is in the middle of, and the objects they name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git

NAMES: Final = (
    "MERGE_HEAD",
    "MERGE_MSG",
    "MERGE_MODE",
    "MERGE_RR",
    "MERGE_AUTOSTASH",
    "SQUASH_MSG",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "REBASE_HEAD",
    "rebase-merge",
    "rebase-apply",
    "sequencer",
    "BISECT_LOG",
    "BISECT_START",
    "BISECT_NAMES",
    "BISECT_TERMS",
    "BISECT_RUN",
    "BISECT_EXPECTED_REV",
    "BISECT_ANCESTORS_OK",
    "BISECT_FIRST_PARENT",
)
"""Files and folders of git's that make up a merge, rebase, am, cherry-pick, revert or bisect. ``AUTO_MERGE``
is left out: it names a tree that git can do without."""
OWN_REFERENCES: Final = ("refs/bisect", "refs/rewritten", "refs/worktree")
"""References that each worktree has for itself."""
_OBJECT: Final = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")


def operation_files(git_dir: Path) -> tuple[str, ...]:
    """The files of the operation in progress, relative to ``git_dir``, sorted.

    Some may be there without one: the message that ``merge --squash`` or ``cherry-pick -n`` prepared.
    """
    found = []
    for name in NAMES:
        path = git_dir / name
        found += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return tuple(sorted(p.relative_to(git_dir).as_posix() for p in found if not p.name.endswith(".lock")))


def own_references(git: Git, worktree: Path) -> dict[str, str]:
    """Name to object of the references that die with this worktree."""
    lines = git.run(
        "for-each-ref", "--format=%(objectname) %(refname)", "--", *OWN_REFERENCES, at=worktree
    ).text.splitlines()
    return {name: oid for oid, name in (line.split(" ", 1) for line in lines)}


def named_commits(git: Git, git_dir: Path, files: tuple[str, ...], references: dict[str, str]) -> list[str]:
    """The commits that an operation needs to go on: those named by its files and references, sorted.

    An autostash is one of them; it is in no stash list.
    """
    ids = {oid.encode() for oid in references.values()}
    for name in files:
        ids.update(_OBJECT.findall((git_dir / name).read_bytes()))
    if not ids:
        return []
    asked = git.run("cat-file", "--batch-check", stdin=b"".join(oid + b"\n" for oid in sorted(ids)))
    return [line.split(" ")[0] for line in asked.text.splitlines() if line.split(" ")[1] == "commit"]
