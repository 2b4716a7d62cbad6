"""The queue as a list: from the settings, the store and the target's tip, without git."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.services.queuerows import queue_entries
from orchestrator.sessions.death import living_session
from orchestrator.settings import target_reference
from orchestrator.submitting.standstill import freeze_of, standstill

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from plans.project import ProjectSettings


def queue_json(store: Store, project: ProjectSettings, tip: str | None, *, every: bool) -> dict[str, Any]:
    """The queue of the target: ``{"target", "remote", "tip", "paused", "frozen", "worker", "entries"}``.

    ``frozen`` is ``{"below", "why"}`` or None, ``entries`` are those of :func:`queue_entries`. ``tip`` is
    None for that of a remote which has not been looked at from here yet.
    """
    target = target_reference(project)
    freeze = freeze_of(store, target)
    return {
        "target": project.target,
        "remote": project.remote,
        "tip": tip,
        "paused": standstill(store, target, tip or ""),
        "frozen": freeze.as_json() if freeze else None,
        "worker": _worker(store, target),
        "entries": queue_entries(store.entries(target=target), every=every),
    }


def _worker(store: Store, target: str) -> dict[str, Any] | None:
    lease = store.lease(f"queue:{target}")
    holder = living_session(store, lease.session) if lease else None
    return {"session": holder.id, "pid": holder.pid, "kind": holder.kind} if holder else None
