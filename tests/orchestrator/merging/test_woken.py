"""Who works at the queue is woken by what has happened in this process; ticks are for what others do."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

from orchestrator.clock import SystemClock
from orchestrator.services import queue as service
from tests.support.mending import BOTH
from tests.support.process import LIMIT
from tests.support.queues import Queue, configure, queue_of
from tests.support.repo import GitRepo


class OnlyWoken(SystemClock):
    """Whoever waits has to be woken."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        assert super().wait(event, max(seconds, LIMIT)), "nobody woke it"
        return True


def drain(queue: Queue, *branches: str) -> dict[str, str]:
    queue.bench = replace(queue.bench, clock=OnlyWoken())
    entries = [queue.add(branch).id for branch in branches]
    service.drain(queue.bench.refreshed(), queue.session, entries, cancel=queue.cancel)
    return queue.states()


def test_with_lanes_the_end_of_a_check_wakes_the_worker(repo: GitRepo) -> None:
    configure(repo, check="true", queue="lanes", check_jobs=2)
    for name in ("one", "two"):
        repo.branch(name, {name: "1\n"})
    with queue_of(repo) as queue:
        assert drain(queue, "one", "two") == {"one": "landed", "two": "landed"}


def test_a_conflict_wakes_the_resolver_and_what_it_made_the_worker(repo: GitRepo) -> None:
    configure(repo, resolver=json.dumps(BOTH))
    for name in ("one", "two"):
        repo.branch(name, {"src/a.py": f"{name}\n"})
    with queue_of(repo) as queue:
        assert drain(queue, "one", "two") == {"one": "landed", "two": "landed"}
