"""The commit-graph: merge bases and ancestry on long histories (96 ms → 18 ms a merge on git.git).

Written when at least :data:`MANY` commits of a tip were not covered at the last writing; git adds a layer
(``--split``) for the new ones alone. Only a help: that it is missing or old changes no answer.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from plans.effects import step, write_atomic
from worktrees.errors import GitFailedError
from worktrees.removal import delete_tree

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.objects import Objects

MANY: Final = 1000
LARGE: Final = 8 << 20
"""Bytes of a commit-graph (some 100,000 commits) from which on looking through it takes too long."""


def ensure_commit_graph(git: Git, objects: Objects, tip: str) -> bool:
    """Write the commit-graph if many commits of ``tip`` lack it; return whether it was written.

    Costs some milliseconds where there is nothing to do. A failure of git's is no error here: another
    process may be writing it.
    """
    if not _lacks_many(git, objects, tip):
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
    write_atomic(_note(git), f"{tip}\n".encode(), durable=False)
    return True


def is_wanting(git: Git, objects: Objects, tip: str) -> bool:
    """Whether a long history has no commit-graph, nor one that was written since much was added."""
    if git.settings.get("core.commitgraph") == "false":
        return False
    if any(path.exists() for path in _graphs(git)) and not _note(git).exists():
        return False  # git's own gc writes it and keeps it
    has_none = not any(path.exists() for path in _graphs(git))
    return len(objects.commits(tip, limit=MANY)) >= MANY if has_none else _lacks_many(git, objects, tip)


def what_is_broken(git: Git) -> str:
    """What git finds wrong with the newest layer of the commit-graph; empty where all is well or none is."""
    present = [path for path in _graphs(git) if path.exists()]
    if not present or sum(_size(path) for path in present) > LARGE:
        return ""
    said = git.run("commit-graph", "verify", "--shallow", "--no-progress", ok=())
    messages = said.messages.strip()
    return messages.splitlines()[0] if messages else "git refuses it" if said.status else ""


def write_anew(git: Git, objects: Objects, tip: str) -> None:
    """Remove the commit-graph, which is only a copy of what commits say, and write it if it is worth it."""
    for path in (*_graphs(git), _note(git)):
        delete_tree(path)
    ensure_commit_graph(git, objects, tip)


def _lacks_many(git: Git, objects: Objects, tip: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        last = _note(git).read_text(encoding="ascii", errors="replace").strip()
        if last == tip or (objects.has_commit(last) and len(objects.commits(tip, last, limit=MANY)) < MANY):
            return False
    return len(objects.commits(tip, limit=MANY)) >= MANY


def _note(git: Git) -> Path:
    return git.repository.state_dir / "commit-graph"


def _graphs(git: Git) -> tuple[Path, Path]:
    info = git.repository.common_dir / "objects" / "info"
    return info / "commit-graph", info / "commit-graphs"


def _size(path: Path) -> int:
    return sum(p.stat().st_size for p in path.iterdir()) if path.is_dir() else path.stat().st_size
