"""The output of a plan's commands, of the newest attempt; from any process, also of another's run."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import NothingToDoError
from orchestrator.events import EventName
from orchestrator.running.log import follow
from orchestrator.running.outputs import PlanOutputs, default_root
from orchestrator.running.places import record_folder
from orchestrator.running.spec import Running
from orchestrator.running.supervision import find, poll
from orchestrator.services.conductors import conductor_of
from orchestrator.states import AttemptState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.clock import Clock
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt
    from plans.ids import PlanId
    from worktrees.repository import Repository

_AT_WORK: Final = frozenset(
    {
        AttemptState.PENDING,
        AttemptState.WAITING,
        AttemptState.PREPARING,
        AttemptState.RUNNING,
        AttemptState.DEFERRED,
    }
)
_LOOK: Final = 0.2
"""Seconds between two looks at a log that is followed."""
_ASK_EVERY: Final = 5
"""Looks at the log for each look into the store, which is a copy of it."""


@dataclass(frozen=True, slots=True)
class PlanLog:
    """Where the output of an attempt goes; ``attempt`` is None when the store knows of none (any more)."""

    plan: PlanId
    path: Path
    attempt: Attempt | None


def log_of(repository: Repository, store: Store, plan: PlanId) -> PlanLog:
    """The log of the newest attempt of ``plan``; raises NothingToDoError when there is none at all."""
    attempts = store.attempts(plan=plan)
    attempt = attempts[-1] if attempts else None
    path = _recorded(store, attempt) if attempt else None
    path = path or _configured(repository, plan)
    if attempt is None and not path.exists():
        raise NothingToDoError(f"{plan} has never run here")
    return PlanLog(plan, path, attempt)


def _recorded(store: Store, attempt: Attempt) -> Path | None:
    """Where the attempt was told to write: the settings may be others by now."""
    seen, found = 0, None
    while events := store.events_after(seen, run=attempt.run):
        seen = events[-1].sequence
        for event in events:
            started = event.event == EventName.PLAN_STARTED and event.data.get("attempt") == attempt.id
            if started and event.data.get("log"):
                found = Path(event.data["log"])
    return found


def _configured(repository: Repository, plan: PlanId) -> Path:
    from orchestrator.settings import working_settings  # noqa: PLC0415 - YAML, where the store does not say

    configured = working_settings(repository).project.outputs
    top = repository.primary_top or repository.common_dir
    root = top / configured if configured else default_root(repository.state_dir)
    return PlanOutputs.of(root, plan).log


def content(log: PlanLog) -> Iterator[bytes]:
    """What is in the log now."""
    return follow(log.path, from_end=False, wait=lambda: False)


def followed(
    repository: Repository, log: PlanLog, clock: Clock, stores: Callable[[], Store], ended: Callable[[], bool]
) -> Iterator[bytes]:
    """What is in the log and what is added, until the attempt has ended or ``ended`` says that is enough.

    ``stores`` gives the store as it is at that moment. An attempt ends, too, when its run was killed and
    nothing of it is at work.
    """
    looks = 0

    def wait() -> bool:
        nonlocal looks
        looks += 1
        if ended() or log.attempt is None:
            return False
        if looks % _ASK_EVERY == 1:
            with contextlib.closing(stores()) as store:
                if not is_at_work(repository, store, log.attempt.id):
                    return False
        clock.wait(threading.Event(), _LOOK)
        return True

    return follow(log.path, from_end=False, wait=wait)


def is_at_work(repository: Repository, store: Store, key: str) -> bool:
    """Whether the attempt ``key`` may still write: a process conducts it, or its supervisor lives."""
    attempt = store.attempt(key)
    if attempt is None or attempt.state not in _AT_WORK:
        return False
    run = store.run(attempt.run)
    if run is not None and conductor_of(store, run) is not None:
        return True
    handle = find(record_folder(repository.state_dir, attempt.supervisor or f"{attempt.id}-setup"))
    return handle is not None and isinstance(poll(handle), Running)
