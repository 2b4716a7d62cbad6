"""The queue as a list, read from files: to load git takes longer than all of the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.bootstrap import looking, open_readonly_store
from orchestrator.services.queuelist import queue_json
from orchestrator.settings import require_usable, target_reference, working_settings
from worktrees.repository import require_main_checkout
from worktrees.tips import read_tip

if TYPE_CHECKING:
    from worktrees.repository import Repository


def listed(repository: Repository, remote: str | None, *, every: bool) -> dict[str, Any]:
    """See :func:`orchestrator.services.queuelist.queue_json`; without a git library or process.

    Git is asked where its files do not tell where the target stands. Raises as
    :func:`orchestrator.bootstrap.looking`, but for faults of what git alone knows: its version, and the
    settings at the tip.
    """
    project = require_usable(working_settings(repository, remote=remote)).project
    require_main_checkout(repository)
    tip = read_tip(repository.common_dir, target_reference(project))
    if tip is not None:
        return queue_json(open_readonly_store(repository), project, tip, every=every)
    bench = looking(repository, remote)
    return queue_json(bench.store, bench.settings.project, bench.seen_tip(), every=every)
