"""Where a task stands, as a function of plan files and records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.services.taskview import PREFIX, Books, best, judged, needed, standings
from orchestrator.states import TaskState
from orchestrator.store.taskrecords import TaskRecord
from plans.document import read_plan
from plans.model import Plan
from tests.support.records import a_lease

BODY = """# T
- [ ] 0.1 Outside of any phase (after: 2.1)
## Phase 1: Model
- [ ] 1.1 Table
- [x] 1.2 Sketch
## Phase 2: Use
- [ ] 2.1 Page
- [ ] 2.2 Other page (after: web:1, 2.1)
"""


def plan(name: str = "api", body: str = BODY, **header: Any) -> Plan:
    lines = "".join(f"{key}: {value}\n" for key, value in header.items())
    read = read_plan(Path(f"{name}.md"), f"---\nplan: {name}\n{lines}---\n{body}".encode())
    assert read.plan is not None, read.problems
    return read.plan


def books(*records: TaskRecord, lost: bool = False, phases: Any = ()) -> Books:
    held = [r for r in records if r.claimed_by]
    leases = [a_lease(PREFIX + r.id, str(r.claimed_by), token=r.token, expires=100.0) for r in held]
    return Books({r.id: r for r in records}, [] if lost else leases, set(phases), 50.0, "boot-1")


def completed(key: str) -> TaskRecord:
    return TaskRecord(key, *key.split(":"), state=TaskState.COMPLETED)


def states(plans: list[Plan], known: Books) -> dict[str, tuple[str, ...] | str]:
    return {
        s.id: s.waits_for if s.state is TaskState.OPEN else s.state.value for s in standings(plans, known)
    }


def test_s4_9_a_task_waits_for_what_it_names_and_for_earlier_phases() -> None:
    web = plan("web", "# W\n- [ ] 1 One\n")
    assert states([plan(), web], books()) == {
        "api:0.1": ("api:2.1",),
        "api:1.1": (),
        "api:1.2": "completed",
        "api:2.1": ("api:1.1",),
        "api:2.2": ("web:1", "api:2.1", "api:1.1"),
        "web:1": (),
    }
    later = books(completed("api:1.1"), completed("web:1"))
    assert states([plan(), web], later)["api:2.2"] == ("api:2.1",)
    assert states([plan(), web], books(phases=[("api", "1")]))["api:2.1"] == ()
    assert states([plan()], books())["api:2.2"] == ("web:1", "api:2.1", "api:1.1"), (
        "of a plan that is not there"
    )


def test_one_task_is_judged_by_what_it_needs_alone_as_among_all() -> None:
    plans, known = [plan(), plan("web", "# W\n- [ ] 1 One\n")], books(completed("api:1.1"))
    whole = {one.id: one for one in standings(plans, known)}
    for one in plans:
        for task in one.tasks:
            keys = needed(one, task, known.phases)
            pairs = [(p, t) for p in plans for t in p.tasks if f"{p.id}:{t.id}" in keys]
            (alone,) = [s for s in judged(pairs, known) if s.id == f"{one.id}:{task.id}"]
            assert alone == whole[alone.id]


def test_a_claim_counts_as_long_as_its_lease() -> None:
    record = TaskRecord("api:1.1", "api", "1.1", TaskState.IN_PROGRESS, "ada", token=1)
    assert states([plan()], books(record))["api:1.1"] == "in_progress"
    (one,) = [s for s in standings([plan()], books(record, lost=True)) if s.id == "api:1.1"]
    assert (one.state, one.is_lost, one.is_available) == (TaskState.OPEN, True, True)


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        ((), ["rust:1", "plain:1", "both:1"]),
        (("python",), ["plain:1"]),
        (("python", "rust"), ["rust:1", "both:1", "plain:1"]),
    ],
)
def test_s4_11_the_best_task_is_by_priority_then_by_labels(labels: tuple[str, ...], order: list[str]) -> None:
    body = "# P\n- [ ] 1 One\n- [x] 2 Two\n"
    plans = [
        plan("plain", body),
        plan("both", body, labels="[python, rust]"),
        plan("rust", body, labels="[rust]", priority="high"),
    ]
    assert [one.id for one in best(standings(plans, books()), labels)] == order
