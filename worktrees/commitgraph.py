"""The commit-graph: merge bases and ancestry on long histories (96 ms → 18 ms a merge on git.git).

Written when at least :data:`MANY` commits of a tip were not covered at the last writing; git adds a layer
(``--split``) for the new ones alone. Only a help: that it is missing or old changes no answer.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from plans.effects import step, write_atomic
from worktrees.errors import GitFailedError

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.objects import Objects

MANY: Final = 1000


def ensure_commit_graph(git: Git, objects: Objects, tip: str) -> bool:
    """Write the commit-graph if many commits of ``tip`` lack it; return whether it was written.

    Costs some milliseconds where there is nothing to do. A failure of git's is no error here: another
    process may be writing it.
    """
    note = git.repository.state_dir / "commit-graph"
    with contextlib.suppress(FileNotFoundError):
        last = note.read_text(encoding="ascii", errors="replace").strip()
        if last == tip or (objects.has_commit(last) and len(objects.commits(tip, last, limit=MANY)) < MANY):
            return False
    if len(objects.commits(tip, limit=MANY)) < MANY:
        return False
    git.ensure_desk()
    try:
        with step("commitgraph.write"):
            git.run(
                "commit-graph", "write", "--stdin-commits", "--split", "--no-progress",
                stdin=f"{tip}\n".encode(), writes=True,
            )  # fmt: skip
    except GitFailedError:
        return False
    write_atomic(note, f"{tip}\n".encode(), durable=False)
    return True
