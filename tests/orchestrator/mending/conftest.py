"""A queue of which no resolver leaves anything behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.slots.prepared import journals
from tests.support.queues import Queue, queue_of, require_sound
from tests.support.repo import GitRepo


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    with queue_of(repo) as queue:
        yield queue
    assert journals(queue.bench.repository) == ()
    require_sound(repo)
