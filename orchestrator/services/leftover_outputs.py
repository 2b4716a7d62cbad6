"""Files that plans left among their outputs, parked as a commit before the state folder goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.running.outputs import default_root
from worktrees.archive import park
from worktrees.keeping import commit_of_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestrator.workbench import Workbench

LABEL: Final = "outputs"
"""The name under ``refs/planctl/archive/`` for what is kept."""
_OWN: Final = frozenset({"status.json", "log", "plan.md", "plan.markdown", "plan.yaml", "plan.yml"})


def park_outputs(bench: Workbench) -> str | None:
    """Park what plans left; the reference, or None where there is nothing but planctl's own files.

    Outputs that were configured to be elsewhere are the user's and not looked at.
    """
    root = default_root(bench.repository.state_dir)
    files = sorted(_of_plans(root))
    if not files:
        return None
    commit = commit_of_folder(bench.git, root, files, "planctl: outputs of plans")
    return park(bench.git, LABEL, [commit])[0]


def _of_plans(root: Path) -> Iterator[str]:
    for path in root.rglob("*"):
        inside = path.relative_to(root).parts
        own = inside[1:2] == ("timestamps",) or (len(inside) == 2 and inside[1] in _OWN)  # noqa: PLR2004 - <plan>/<name>
        if (path.is_symlink() or path.is_file()) and not own:
            yield path.relative_to(root).as_posix()
