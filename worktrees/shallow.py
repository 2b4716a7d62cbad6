"""Whether a shallow clone has the history that a merge, and what is known of landings, rests on.

Behind its edge such a clone knows nothing: an older fork than the real one may be found by a way around, and
a landing that lies there is in no history, so it would be made again, and bring back what was reverted since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.repository import Repository


def is_shallow(repository: Repository) -> bool:
    """Whether history is cut off somewhere."""
    return (repository.common_dir / "shallow").exists()


def lacks_history(git: Git, target: str, head: str) -> bool:
    """Whether history is cut off between ``head`` and what ``target`` has of it.

    On the side of ``head`` anywhere, on that of ``target`` on the line of its first parents, which is where
    work lands.
    """
    if not is_shallow(git.repository):
        return False
    edge = frozenset((git.repository.common_dir / "shallow").read_text(encoding="ascii").split())
    own = git.run("rev-list", "--end-of-options", head, f"^{target}").text.split()
    line = git.run("rev-list", "--first-parent", "--end-of-options", target, f"^{head}").text.split()
    return not edge.isdisjoint((*own, *line))
