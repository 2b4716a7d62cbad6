"""May these files be committed in this worktree? The answer of submission, given while a commit is made.

Without git, YAML and the graph, since it is asked by a hook: what plans declared stands with their run.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.clock import SystemClock
from orchestrator.scheduling.declared import declaration, declared_beside, enforced, folding, hot_files
from orchestrator.scheduling.drift import Means, judge
from orchestrator.states import ACTIVE_ATTEMPTS
from plans.project import Enforce
from worktrees.pointer import read_pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.store.protocol import Store
    from worktrees.repository import Repository


def refusal(repository: Repository, staged: Sequence[str], stores: Callable[[], Store]) -> str:
    """Why ``staged`` (paths) may not be committed in the worktree that is stood in; empty when they may.

    Only worktrees that planctl gave to a plan at work are asked about. The commit that ends a merge is let
    through: what it brings along is others' work, and what the plan itself changed is seen at submission.
    """
    top = repository.top
    if top is None or (repository.git_dir / "MERGE_HEAD").exists():
        return ""
    plan = read_pointer(top)
    if plan is None:
        return ""
    with contextlib.closing(stores()) as store:
        active = store.attempts(states=ACTIVE_ATTEMPTS)
        own = next((a for a in active if a.plan == plan and _is_at(a.worktree, top)), None)
        run = store.run(own.run) if own else None
        said = declaration(run, plan) if run else None
        if own is None or run is None or said is None:
            return ""
        enforce = enforced(run)
        if enforce is Enforce.OFF:
            return ""
        others = declared_beside(store, SystemClock(), own, active)
    return judge(said, staged, others, enforce, Means(hot_files(run), folding(run))).refused


def _is_at(worktree: str | None, top: Path) -> bool:
    return worktree is not None and Path(worktree).resolve() == top.resolve()
