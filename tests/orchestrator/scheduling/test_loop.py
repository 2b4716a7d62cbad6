"""The loop of a run is woken by what has ended, and misses none of it."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import Future
from typing import Any

import pytest

from orchestrator.scheduling.crew import Crew
from tests.support.cli import planctl
from tests.support.plans import commit_plans
from tests.support.process import LIMIT, until
from tests.support.repo import GitRepo


@pytest.fixture
def only_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop rests until it is woken; a thread of its pool ends while it rests, not woken by anything."""
    rests, tells, resting = Crew.wait, Future.set_result, list[threading.Event]()

    def rest(crew: Crew, wake: threading.Event, _: float, *, without: Collection[str] = ()) -> None:
        resting.append(wake)
        rests(crew, wake, LIMIT, without=without)
        assert wake.is_set() or {attempt.id for attempt in crew.ended()} - set(without), "nobody woke it"
        resting.clear()

    def tell(future: Future[Any], result: Any) -> None:
        if threading.current_thread().name.startswith("plan"):
            until(lambda: any(not wake.is_set() for wake in tuple(resting)))
        tells(future, result)

    monkeypatch.setattr(Crew, "wait", rest)
    monkeypatch.setattr(Future, "set_result", tell)


@pytest.mark.usefixtures("only_woken")
def test_the_end_of_what_a_thread_does_wakes_the_loop(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"run": "true"}})
    assert planctl("run-multi", "a", repo=repo.path).code == 0
