"""What a run reads of its attempts at a look: what may have changed, and not what has ended before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.scheduling.observe import Observer
from orchestrator.scheduling.ownattempts import OwnAttempts
from orchestrator.scheduling.view import Options
from orchestrator.states import AttemptState as A
from orchestrator.states import EntryState
from orchestrator.store.protocol import Store
from orchestrator.store.sqlite.opening import open_sqlite
from orchestrator.store.sqlite.store import SqliteStore
from orchestrator.workbench import Workbench
from plans.project import OverlapMode
from tests.support.faces import bench_at
from tests.support.records import a_run, an_attempt, an_entry
from tests.support.repo import GitRepo
from tests.support.views import a_plan, graph_of

RUN = "r1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(open_sqlite(tmp_path / "state.db", SystemClock()).store) as store:
        store.add_run(a_run(RUN))
        yield store


@pytest.fixture
def other(store: Store, tmp_path: Path) -> Iterator[Store]:
    """The same store, as another process has it open."""
    del store
    with contextlib.closing(open_sqlite(tmp_path / "state.db", SystemClock()).store) as other:
        yield other


def add(store: Store, plan: str, number: int = 1, run: str = RUN) -> None:
    store.add_attempt(an_attempt(f"{run}-{plan}{number}", plan=plan, number=number, run=run))


def move(store: Store, plan: str, to: A, number: int = 1) -> None:
    attempt = store.attempt(f"{RUN}-{plan}{number}")
    assert attempt is not None
    store.move_attempt(attempt, to)


def test_every_look_finds_what_the_store_has_whoever_wrote_it(store: Store, other: Store) -> None:
    own = OwnAttempts(RUN)
    other.add_run(a_run("r2"))

    def require_same() -> None:
        assert list(own.look(store)) == list(store.attempts(run=RUN))

    for plan in ("a", "b", "c"):
        add(store, plan)
    require_same()
    move(other, "a", A.CANCELLED)
    move(store, "b", A.PREPARING)
    require_same()
    add(other, "a", 2)
    move(other, "a", A.FAILED, 2)  # added and ended between two looks
    add(other, "d", run="r2")
    require_same()
    move(other, "b", A.LOST)
    add(store, "b", 2)
    require_same()


def test_what_is_found_in_a_transaction_that_is_undone_is_not_remembered(store: Store) -> None:
    own = OwnAttempts(RUN)
    add(store, "a")
    own.look(store)
    with contextlib.suppress(KeyError), store.transaction():
        move(store, "a", A.CANCELLED)
        add(store, "b")
        assert [a.state for a in own.look(store)] == [A.CANCELLED, A.PENDING]
        raise KeyError
    assert [a.state for a in own.look(store)] == [A.PENDING]


@pytest.fixture
def bench(repo: GitRepo) -> Iterator[Workbench]:
    with bench_at(repo) as (bench, _):
        yield bench


def read_by_a_look(bench: Workbench, monkeypatch: pytest.MonkeyPatch, ended: int) -> tuple[int, int]:
    """Rows that come out of the store, and steps of SQLite's machine, at a look at a run of so many plans.

    All but four of them have landed.
    """
    plans = [a_plan(f"p{number:03}", write=[f"f{number}"]) for number in range(ended + 4)]
    run = a_run(f"run{ended}", session=bench.session, plans=tuple(p.id for p in plans), target=bench.target)
    store = bench.store
    assert isinstance(store, SqliteStore)
    with store.transaction():
        store.add_run(run)
        for number, plan in enumerate(plans):
            key = f"{run.id}-{plan.id}"
            state = A.LANDED if number < ended else A.WAITING
            store.add_attempt(an_attempt(key, run=run.id, plan=plan.id, branch=plan.branch, state=state))
            if number < ended:
                landed = an_entry(key, plan=plan.id, branch=plan.branch, target=bench.target)
                store.add_entry(landed)
                store.move_entry(store.entries()[-1], EntryState.LANDED)
    observer = Observer(bench, run, graph_of(plans, OverlapMode.ISOLATE), Options(3, OverlapMode.SERIALIZE))
    first = observer.view()
    rows, steps, query = 0, 0, store._db.query

    def counted(kind: str) -> None:
        plain = getattr(type(query), kind)

        def read(*arguments: object, **parameters: object) -> object:
            nonlocal rows
            found = plain(query, *arguments, **parameters)
            rows += len(found) if isinstance(found, list) else found is not None
            return found

        monkeypatch.setattr(query, kind, read)

    def step() -> None:
        nonlocal steps
        steps += 1

    counted("rows")
    counted("row")
    store._db.connection.set_progress_handler(step, 1)
    with store.transaction():
        second = observer.view()
    store._db.connection.set_progress_handler(None, 0)
    monkeypatch.undo()
    assert second.attempts == first.attempts
    assert len(second.attempts) == len(plans)
    return rows, steps


def test_a_look_reads_no_more_when_hundreds_of_plans_have_ended(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (read_by_a_look(bench, monkeypatch, ended) for ended in (5, 300))
    assert few[0] >= 4, "those that wait are read"
    assert many[0] == few[0]
    assert many[1] < 1.5 * few[1], "nor does SQLite go through them to find the others"
