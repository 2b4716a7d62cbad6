"""Which files each commit changed: one pass of git over the newest commits, kept beside the store.

By plumbing (``rev-list``, ``diff-tree``), which no setting of ``log`` changes. Merges are left out: what they
bring was changed by the commits that they merge. The pass is kept with the commit that it began at; from a
later one only the commits between are read. What is kept is a copy of what git knows: where it cannot be
written or read, git is asked in full.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Final

from plans.effects import write_atomic
from worktrees.changedpaths import ALL_SUBMODULES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worktrees.git import Git

MAX_COMMITS: Final = 2000
FILE: Final = "files-of-commits.json"
_Changes = list[list[str]]


def commit_files(git: Git, tip: str, *, keep: bool = True) -> Sequence[frozenset[str]]:
    """The paths that each of the newest commits up to the commit ``tip`` changed, newest first.

    ``keep=False`` writes nothing.
    """
    kept = git.repository.state_dir / FILE
    known, changes = _kept(kept)
    if known != tip:
        if known is not None and not _is_before(git, known, tip):
            known, changes = None, []
        changes = [*_pass(git, tip, known), *changes][:MAX_COMMITS]
        if keep and kept.parent.is_dir():
            with contextlib.suppress(OSError):  # read-only or full: asked in full the next time
                write_atomic(kept, json.dumps([tip, changes]).encode(), durable=False)
    return [frozenset(paths) for paths in changes]


def _is_before(git: Git, known: str, tip: str) -> bool:
    """Whether ``known``, which may be gone, lies in the history of ``tip``."""
    return git.run("merge-base", "--is-ancestor", known, tip, ok=()).status == 0


def _pass(git: Git, tip: str, known: str | None) -> _Changes:
    since = (f"^{known}",) if known else ()
    listed = git.run("rev-list", "--no-merges", f"--max-count={MAX_COMMITS}", tip, *since, "--").output
    command = (
        "diff-tree",
        "--stdin",
        "-r",
        "-z",
        "--name-only",
        "--no-renames",
        ALL_SUBMODULES,
        "--root",
        "--always",
    )
    fields = git.run(*command, stdin=listed).records if listed else []
    changes: _Changes = []
    commits = iter(listed.decode("ascii").split())
    expected = next(commits, None)
    for field in fields:
        if field == expected:
            changes.append([])
            expected = next(commits, None)
        else:
            changes[-1].append(field)
    assert expected is None, "git names every commit that it was asked for, empty ones too"
    return changes


def _kept(path: Path) -> tuple[str | None, _Changes]:
    """The commit and the changes that were kept; nothing of what does not look like that."""
    try:
        tip, changes = json.loads(path.read_bytes())
    except (OSError, ValueError, TypeError):
        return None, []
    sound = isinstance(tip, str) and isinstance(changes, list) and all(map(_is_list_of_text, changes))
    return (tip, changes) if sound else (None, [])


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
