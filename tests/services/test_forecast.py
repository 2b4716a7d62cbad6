"""States of a plan that a forecast cannot look into."""

from __future__ import annotations

import pytest

from orchestrator.bootstrap import memory_store
from orchestrator.services.forecast import forecast, forecast_data
from orchestrator.states import AttemptState
from tests.support.records import a_run, an_attempt
from tests.support.repo import GitRepo
from worktrees.git import Git
from worktrees.repository import find


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (AttemptState.PREPARING, "its worktree is being made"),
        (AttemptState.RUNNING, "it holds no worktree"),
        (AttemptState.FINISHED, "its commit is gone"),
    ],
)
def test_p2_a_plan_with_nothing_to_look_at_is_not_compared(
    repo: GitRepo, state: AttemptState, why: str
) -> None:
    store = memory_store()
    store.add_run(a_run(target="refs/heads/main"))
    store.add_attempt(an_attempt("a1", plan="api", state=state, head="1" * 40))
    store.add_attempt(an_attempt("a2", plan="web", state=AttemptState.QUEUED, head=repo.head()))
    store.add_attempt(an_attempt("a3", plan="waits", state=AttemptState.WAITING))
    found = forecast_data(forecast(store, Git(find(repo.path)), ()))
    assert found["pairs"] == [
        {
            "a": "api",
            "b": "web",
            "outcome": "not-compared",
            "paths": [],
            "why": f"api: {why}",
            "first": None,
            "first_why": "",
        }
    ]


def test_p2_a_target_that_is_gone_is_said(repo: GitRepo) -> None:
    store = memory_store()
    store.add_run(a_run(target="refs/heads/gone"))
    for key, plan in (("a1", "api"), ("a2", "web")):
        store.add_attempt(an_attempt(key, plan=plan, state=AttemptState.QUEUED, head=repo.head()))
    [pair] = forecast(store, Git(find(repo.path)), ()).pairs
    assert (pair.comparison.outcome, pair.comparison.why) == ("not-compared", "their target gone is gone")
