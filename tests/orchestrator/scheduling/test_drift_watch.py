"""A look at a real worktree: what is edited and committed, told once, and never of somebody else's work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.scheduling import drifttable
from orchestrator.scheduling.driftlook import Looker
from orchestrator.scheduling.driftwatch import DriftWatch
from orchestrator.scheduling.observe import Observer
from orchestrator.scheduling.view import Options
from orchestrator.services.status import status_of
from orchestrator.states import AttemptState as A
from orchestrator.store.records import Attempt
from orchestrator.workbench import Workbench
from plans.project import OverlapMode
from tests.support.faces import bench_at
from tests.support.records import a_run, an_attempt
from tests.support.repo import GitRepo
from tests.support.views import a_plan, graph_of


@pytest.fixture
def bench(repo: GitRepo) -> Iterator[Workbench]:
    with bench_at(repo) as (bench, _):
        yield bench


@pytest.fixture
def place(repo: GitRepo) -> Path:
    """A worktree on the branch of plan ``a``."""
    place = repo.path.parent / "place"
    repo.git("worktree", "add", "-q", "-b", "plan/a", str(place))
    return place


def watch_of(bench: Workbench, place: Path) -> DriftWatch:
    """A run with ``a`` at work in ``place`` (declares one), ``b`` at work (two) and ``c`` waiting (two)."""
    plans = [a_plan("a", write=["one"]), a_plan("b", write=["two"]), a_plan("c", write=["two"])]
    run = a_run(session=bench.session, plans=("a", "b", "c"), options={}, target=bench.target)
    bench.store.add_run(run)
    for plan in plans:
        bench.store.add_attempt(
            an_attempt(plan.id, plan=plan.id, branch=plan.branch, base=bench.target_tip())
        )
    for name in ("a", "b"):
        move(bench, name, A.PREPARING, worktree=str(place))
        move(bench, name, A.RUNNING)
    graph = graph_of(plans, OverlapMode.ISOLATE)
    observer = Observer(bench, run, graph, Options(3, OverlapMode.SERIALIZE))
    return DriftWatch(bench, run.id, observer, graph.plans)


def move(bench: Workbench, key: str, to: A, **changes: Any) -> None:
    attempt = bench.store.attempt(key)
    assert attempt is not None
    bench.store.move_attempt(attempt, to, **changes)


def told(bench: Workbench) -> list[tuple[str, str | None]]:
    return [(e.event, e.plan) for e in bench.store.events_after(0)]


def test_p3_edits_and_commits_are_drift_told_once_until_put_back(
    repo: GitRepo, bench: Workbench, place: Path
) -> None:
    watch = watch_of(bench, place)
    assert not watch.look("a"), "nothing is changed"
    (place / "one").write_text("own\n")
    assert not watch.look("a"), "its own file is no drift"
    (place / "two").write_text("drift\n")
    assert watch.look("a")
    drift = [("plan.drift", "a"), ("plan.touched", "b")]
    assert told(bench) == drift
    shown = {p["id"]: p for p in status_of(bench.store, bench.clock, bench.repository).plans}
    assert shown["a"]["drift"] == ["two"]
    assert [row["plan"] for row in shown["a"]["drifted_into"]] == ["b", "c"]
    repo.git("-C", str(place), "add", "-A")
    repo.git("-C", str(place), "commit", "-qm", "drift")
    assert not watch.look("a"), "committed, it is the same drift"
    repo.git("-C", str(place), "rm", "-q", "two")
    repo.git("-C", str(place), "commit", "-qm", "put back")
    assert watch.look("a")
    assert told(bench) == [*drift, ("plan.drift-ended", "a")]
    assert bench.store.value("drift.r1") is None


def test_p3_what_is_committed_off_the_branch_is_drift_as_well(
    repo: GitRepo, bench: Workbench, place: Path
) -> None:
    watch = watch_of(bench, place)
    repo.git("-C", str(place), "switch", "-q", "--detach")
    (place / "two").write_text("drift\n")
    assert watch.look("a")
    repo.git("-C", str(place), "add", "-A")
    repo.git("-C", str(place), "commit", "-qm", "nobody's branch has it")
    assert not watch.look("a"), "committed on a detached HEAD, it is the same drift"
    repo.git("-C", str(place), "switch", "-q", "plan/a")
    assert watch.look("a")
    assert told(bench)[-1] == ("plan.drift-ended", "a")


def test_p3_in_the_middle_of_a_merge_what_was_known_stays(
    bench: Workbench, repo: GitRepo, place: Path
) -> None:
    watch = watch_of(bench, place)
    (place / "two").write_text("drift\n")
    assert watch.look("a")
    git_dir = Path(repo.git("-C", str(place), "rev-parse", "--absolute-git-dir").strip())
    (git_dir / "MERGE_HEAD").write_text(repo.head() + "\n")
    (place / "others").write_text("came by the merge\n")
    assert watch.look("a")
    row = drifttable.load(bench.store, "r1")["a"]
    assert (row.paths, row.unread) == (("two",), "it is merging")


def test_what_was_seen_while_the_plan_ended_is_not_counted(
    bench: Workbench, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, look = watch_of(bench, place), Looker.look
    (place / "two").write_text("perhaps another plan's\n")

    def ends_meanwhile(looker: Looker, attempt: Attempt, plan: Any) -> Any:
        move(bench, "a", A.FAILED)
        return look(looker, attempt, plan)

    monkeypatch.setattr(Looker, "look", ends_meanwhile)
    assert not watch.look("a")
    assert told(bench) == []
