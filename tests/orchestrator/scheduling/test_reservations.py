"""Which plans wait for reserved files, and which files of plans at work others wait for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.leases.lease import Wanted, try_acquire
from orchestrator.scheduling.decide import Start, Wait, decide
from orchestrator.scheduling.reasons import sentence
from orchestrator.scheduling.reservations import ReservedFiles, Standing, files_at_work
from orchestrator.sessions.identity import here, started
from orchestrator.states import AttemptState as A
from orchestrator.states import EntryState as E
from orchestrator.store.memory.store import MemoryStore
from orchestrator.store.scopes import FILES, Scope
from plans.folding import EXACT, Folding
from plans.ids import PlanId
from plans.project import OverlapMode
from tests.support.clock import FakeClock
from tests.support.records import a_run, a_session, an_attempt, an_entry
from tests.support.views import a_plan, a_view, decided, why

WHY = {"code": "reserved", "session": "s", "holder": "agent s", "pattern": "src/**", "detail": "src/a"}
DECLARED = {
    "declared": {p: ["plans/p.md", ["src/**", "*.md", "HOT"]] for p in ("api", "web")},
    "hot_files": ["HOT", "LOG.md"],
}


class Scene:
    """A store in which sessions reserve files, and a run of which ``api`` is an attempt."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), FakeClock()
        alive = {"pid": os.getpid(), "process_started": started(os.getpid()), "host": here()}
        self.store.add_session(a_session("s1", expires=1e9, **alive))
        self.store.add_run(a_run("r1", session="s1", options=DECLARED))

    def reserve(self, *patterns: str, session: str = "ada", scope: Scope = Scope.WRITE) -> None:
        wanted = Wanted(FILES, session, expiry=60, patterns=patterns, scope=scope)
        assert try_acquire(self.store, self.clock, wanted) is not None

    def met(
        self, *write: str, speaks: str = "me", hot: tuple[str, ...] = (), folding: Folding = EXACT
    ) -> tuple[str, str, str] | None:
        files = ReservedFiles(self.clock, {speaks}, hot, folding)
        found = files.in_the_way(self.store, [a_plan("api", write=write)])
        reason = found.get(PlanId("api"))
        return reason and (reason["session"], reason["pattern"], reason["detail"])

    def at_work(self) -> list[tuple[str, ...]]:
        return [lease.patterns for lease in files_at_work(self.store, self.clock)]

    def own(self, here: str, attempt: str = "") -> set[str]:
        return set(Standing(Path(here), attempt).own(self.store))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_plan_that_meets_a_reservation_waits_and_nobody_else_does() -> None:
    view = a_view(a_plan("a"), a_plan("b"), jobs=1, reserved={PlanId("a"): WHY})
    assert why(view, "a") == WHY
    assert isinstance(decided(view)["b"], Start), "a plan that waits for a session takes no place"
    assert "waits for agent s, who has reserved src/**: src/a is declared here" in sentence(WHY)
    assert isinstance(decided(replace(view, reserved={}))["a"], Start)


def test_a_run_that_only_waits_for_a_session_goes_on_and_one_that_cannot_start_anyhow_ends() -> None:
    view = a_view(a_plan("a"), reserved={PlanId("a"): WHY})
    assert decide(view) == (Wait(PlanId("a"), WHY),)
    hopeless = a_view(a_plan("a", "x"), reserved={PlanId("a"): WHY})
    assert why(hopeless, "a")["code"] == "dependency-failed"


def test_in_isolation_nobody_is_waited_for() -> None:
    view = a_view(a_plan("a"), mode=OverlapMode.ISOLATE, reserved={PlanId("a"): WHY})
    assert isinstance(decided(view)["a"], Start)


def test_reservations_are_compared_exactly(scene: Scene) -> None:
    scene.reserve("src/**", "!src/gen/**")
    assert scene.met("src/*.py") == ("ada", "src/**", "src/a.py")
    assert scene.met("src/gen/x", "doc/**") is None
    assert scene.met("SRC/a") is None
    assert scene.met("SRC/a", folding=Folding(ignore_case=True)) == ("ada", "src/**", "src/a")
    assert scene.met("src/log", hot=("src/log",)) is None
    assert scene.met("src/a", speaks="ada") is None
    scene.clock.advance(61)
    assert scene.met("src/a") is None, "its time is over"


def test_to_read_keeps_writers_off_to_be_seen_does_not_and_all_of_it_is_all_files(scene: Scene) -> None:
    scene.reserve("seen", session="bob", scope=Scope.NONE)
    scene.reserve("read", session="cleo", scope=Scope.READ)
    assert scene.met("seen") is None
    assert scene.met("read") == ("cleo", "read", "read")
    scene.store.release(scene.store.leases(FILES, session="cleo")[0])
    scene.reserve()
    assert scene.met("x") == ("ada", "**", "x")


def test_what_a_plans_own_command_has_reserved_is_not_in_its_way(scene: Scene) -> None:
    scene.store.add_attempt(an_attempt("a1", plan="api", state=A.RUNNING))
    scene.reserve("a", session="a1")
    assert scene.met("a") is None


@pytest.mark.parametrize("state", list(A))
def test_plans_hold_their_files_while_they_get_on_by_themselves(scene: Scene, state: A) -> None:
    scene.store.add_entry(an_entry("e1", plan="api", state=E.QUEUED))
    scene.store.add_attempt(an_attempt("a1", plan="api", state=state, entry="e1", worktree="/w/slot-01"))
    held = state in {A.PREPARING, A.RUNNING, A.DEFERRED, A.PREPARED, A.QUEUED}
    assert scene.at_work() == ([("src/**", "*.md", "!LOG.md")] if held else [])
    assert scene.own("/w/slot-01/src") == ({"a1"} if held else set())
    assert scene.own("/w/slot-011", "a2") == {"a2"}


def test_work_that_may_be_waiting_for_the_session_in_turn_is_not_waited_for(scene: Scene) -> None:
    """In the queue behind others, or held for a person: who would wait for it might wait for ever."""
    scene.store.add_entry(an_entry("behind", plan="api", state=E.QUEUED, after=("web",)))
    scene.store.add_attempt(an_attempt("a1", plan="api", state=A.QUEUED, entry="behind"))
    scene.store.add_entry(an_entry("held", plan="web", state=E.HELD))
    scene.store.add_attempt(an_attempt("a2", plan="web", state=A.QUEUED, entry="held"))
    assert scene.at_work() == []


def test_a_dead_run_holds_nothing(scene: Scene) -> None:
    scene.store.add_attempt(an_attempt("a1", plan="api", state=A.RUNNING))
    assert scene.at_work()
    scene.clock.reboot()
    assert scene.at_work() == []


def test_no_lease_is_had_beside_a_plan_at_work_but_the_same_again(scene: Scene) -> None:
    scene.reserve("src/a")
    scene.store.add_attempt(an_attempt("a1", plan="api", state=A.RUNNING))

    def asked(*patterns: str) -> bool:
        wanted = Wanted(FILES, "ada", patterns=patterns)
        beside = try_acquire(
            scene.store, scene.clock, wanted, lambda store: files_at_work(store, scene.clock)
        )
        return beside is not None

    assert not asked("src/b")
    assert asked("doc/b")
    assert asked("src/a")
