"""Enough to list the queue, read from files: to load git takes longer than all of the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.bootstrap import looking, open_readonly_store
from orchestrator.settings import require_usable, target_reference, working_settings
from worktrees.repository import require_main_checkout
from worktrees.tips import read_tip

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from plans.project import ProjectSettings
    from worktrees.repository import Repository


@dataclass(frozen=True, slots=True)
class Glance:
    """Whose queue it is, what is stored of it, and where the target stands.

    ``tip`` is None for that of a remote which has not been looked at from here yet.
    """

    project: ProjectSettings
    store: Store
    tip: str | None


def glance(repository: Repository, remote: str | None = None) -> Glance:
    """What :func:`orchestrator.bootstrap.looking` would tell of the queue, without a git library or process.

    Git is asked where its files do not tell the tip. Raises as that, but for faults of what git alone knows:
    its version, and the settings at the tip.
    """
    project = require_usable(working_settings(repository, remote=remote)).project
    require_main_checkout(repository)
    tip = read_tip(repository.common_dir, target_reference(project))
    if tip is not None:
        return Glance(project, open_readonly_store(repository), tip)
    bench = looking(repository, remote)
    return Glance(bench.settings.project, bench.store, bench.seen_tip())
