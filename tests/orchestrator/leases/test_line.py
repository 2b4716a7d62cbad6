"""Waiting in line: order, priority, who goes in together, circles, estimates."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

import pytest

from orchestrator.errors import BusyError, DeadlockError
from orchestrator.leases import ledger
from orchestrator.leases.acquiring import Manner, acquire, acquire_all, asked_wait
from orchestrator.leases.backoff import Backoff, Retry
from orchestrator.leases.lease import Wanted, try_acquire
from orchestrator.leases.line import blocked, circle, turn, victim, waits_for
from orchestrator.store.leaserecords import Lease, LeaseWait
from orchestrator.store.memory.store import MemoryStore
from orchestrator.store.scopes import Scope
from tests.support.clock import FakeClock

R, W = Scope.READ, Scope.WRITE


class Scene:
    """A store, a clock that only tests move, and sessions that hold and wait."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), FakeClock()

    def held(self, session: str, name: str = "plan.api", **fields: object) -> Lease:
        granted = try_acquire(self.store, self.clock, Wanted(name, session, expiry=1e6, **fields))  # type: ignore[arg-type]
        assert granted is not None
        return granted

    def waits(self, session: str, name: str = "plan.api", **fields: object) -> LeaseWait:
        wanted = Wanted(name, session, **fields)  # type: ignore[arg-type]
        return self.store.add_wait(asked_wait(self.clock, wanted))

    def order(self) -> list[str]:
        """In which order those that wait go in, each holding until the next is looked for."""
        order = []
        while waiting := self.store.waits():
            now = self.clock.monotonic()
            free = [w for w in waiting if blocked(w, self.store.leases(), waiting, now=now) is None]
            order.append("+".join(sorted(wait.session for wait in free)))
            for wait in free:
                self.store.drop_wait(wait.ticket)
            assert free, "nobody can go in"
        return order

    def acquire(self, session: str, name: str, show: Callable[[Retry], object]) -> Lease:
        manner = Manner(show=show)  # type: ignore[arg-type]
        return acquire(self.store, self.clock, Wanted(name, session), manner)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_s1_4_writes_go_in_alone_and_reads_of_one_branch_together(scene: Scene) -> None:
    for session, scope, branch in [
        ("r1", R, "main"),
        ("r2", R, "main"),
        ("w1", W, "main"),
        ("r3", R, "main"),
        ("r4", R, "dev"),
        ("w2", W, "dev"),
    ]:
        scene.waits(session, scope=scope, branch=branch)
        scene.clock.advance(0.001)
    assert scene.order() == ["r1+r2", "w1", "r3", "r4", "w2"]


def test_first_come_first_served_and_a_point_of_priority_is_a_second(scene: Scene) -> None:
    for number in range(5):
        scene.waits(f"s{number}")
        scene.clock.advance(1)
    scene.waits("urgent", priority=53.5)
    assert scene.order() == ["s0", "s1", "urgent", "s2", "s3", "s4"]


def test_nobody_is_overtaken_for_longer_than_the_difference_of_priorities(scene: Scene) -> None:
    low = scene.waits("low", priority=25)
    for number in range(200):
        scene.clock.advance(1)
        urgent = scene.waits(f"u{number}", priority=100)
        if turn(urgent) > turn(low):
            assert number + 1 >= 75
            return
    raise AssertionError("overtaken for ever")


def test_nobody_passes_a_waiter_whose_way_he_would_be_in(scene: Scene) -> None:
    held = scene.held("reader", scope=R)
    scene.waits("writer")
    assert try_acquire(scene.store, scene.clock, Wanted("plan.api", "late", scope=R)) is None
    assert try_acquire(scene.store, scene.clock, Wanted("plan.api", "seen", scope=Scope.NONE)) is not None
    assert try_acquire(scene.store, scene.clock, Wanted("plan.api", "reader", scope=R)) is not None
    assert not ledger.end(scene.store, scene.clock, held)


def test_who_waits_no_more_holds_nobody_up(scene: Scene) -> None:
    scene.waits("killed")
    assert try_acquire(scene.store, scene.clock, Wanted("plan.api", "late")) is None
    scene.clock.advance(31)
    assert try_acquire(scene.store, scene.clock, Wanted("plan.api", "late")) is not None


def test_s1_5_a_wait_shows_holder_place_and_an_estimate_from_history(scene: Scene) -> None:
    for seconds in (10, 20, 60):
        lease = scene.held("earlier")
        scene.clock.advance(seconds)
        ledger.end(scene.store, scene.clock, lease)
    lease = scene.held("ada", purpose="landing")
    scene.waits("bob")
    scene.clock.advance(5)
    shown: list[Retry] = []

    def show(retry: Retry) -> None:
        shown.append(retry)
        if len(shown) == 3:
            ledger.end(scene.store, scene.clock, lease)
            scene.store.drop_waits_of("bob")

    assert scene.acquire("cleo", "plan.api", show).session == "cleo"
    first = shown[0]
    assert first.holder == f"ada since {lease.acquired_at}: landing"
    assert (first.position, first.expected) == (2, 15.0 + 20.0)
    assert str(first).endswith(", number 2 in the line, about 35 s")
    note = scene.store.lease_notes("plan.api", action="granted", limit=1)[0]
    assert note.seconds == pytest.approx(sum(scene.clock.waits))


def test_s1_13_a_circle_is_found_and_the_last_in_the_line_gives_way(scene: Scene) -> None:
    scene.held("ada", "x")
    y = scene.held("bob", "y")
    scene.waits("ada", "y")
    scene.clock.advance(1)
    with pytest.raises(DeadlockError, match="bob → ada → bob wait for each other") as caught:
        scene.acquire("bob", "x", lambda _: pytest.fail("waited"))
    assert caught.value.sessions == ("bob", "ada")
    assert [wait.session for wait in scene.store.waits()] == ["ada"]
    assert scene.store.lease_notes(action="deadlock")[0].session == "bob"
    ledger.end(scene.store, scene.clock, y)
    assert scene.order() == ["ada"]


def test_s1_13_who_is_earlier_in_the_circle_waits_on_and_gets_it(scene: Scene) -> None:
    scene.held("ada", "x")
    y = scene.held("bob", "y")
    later = asked_wait(scene.clock, Wanted("x", "bob", priority=10))
    scene.store.add_wait(later)

    def show(retry: Retry) -> None:
        if retry.number == 1:  # as bob does when he finds the circle
            scene.store.drop_waits_of("bob")
            ledger.end(scene.store, scene.clock, y)

    assert scene.acquire("ada", "y", show).session == "ada"


def test_s1_13_a_circle_with_a_dead_one_in_it_is_none(scene: Scene) -> None:
    """Of three that seem to wait for each other, the one in the middle is dead: it goes, and nobody else."""
    names = {"ada": "x", "bob": "y", "cleo": "z"}
    leases = {session: scene.held(session, name) for session, name in names.items()}
    scene.waits("ada", "y")
    scene.waits("bob", "z")
    scene.clock.advance(1)
    made_way: list[tuple[str, ...]] = []

    def make_way(keys: Sequence[str], waits: Sequence[LeaseWait]) -> bool:
        made_way.append(tuple(keys))
        return sum(scene.store.drop_wait(wait.ticket) for wait in waits if wait.session == "bob") > 0

    def show(_: Retry) -> None:
        ledger.end(scene.store, scene.clock, leases["ada"])

    manner = Manner(show=show, make_way=make_way)
    assert acquire(scene.store, scene.clock, Wanted("x", "cleo"), manner).session == "cleo"
    assert made_way == [("ada",), ("cleo", "ada", "bob"), ("ada",)]


@pytest.mark.parametrize("seed", range(30))
def test_s1_13_random_circles_are_found_by_exactly_one(scene: Scene, seed: int) -> None:
    """Against a plain walk over the graph: there is a circle exactly when one of its members has to go."""
    drawn = random.Random(seed)
    names = [f"n{number}" for number in range(6)]
    for name in names:
        scene.held(drawn.choice("abcd"), name)
    for session in "abcd":
        scene.clock.advance(drawn.random())
        scene.waits(session, drawn.choice(names), priority=drawn.choice([25, 50, 75]))
    leases, waits = scene.store.leases(), scene.store.waits()
    graph = waits_for(leases, waits, now=scene.clock.monotonic(), boot=scene.clock.boot())
    edges = {w.session: set(graph.get(w.ticket, ())) for w in waits}
    in_circles = {s for s in "abcd" if s in reached(edges, s)}
    found = [circle(wait, waits, graph) for wait in waits]
    assert {ring[0].session for ring in found if ring} == in_circles
    victims = {victim(ring).session for ring in found if ring}
    assert bool(victims) == bool(in_circles)
    while victims:
        edges = {s: out for s, out in edges.items() if s not in victims}
        victims = {s for s in edges if s in reached(edges, s)}
        assert len(victims) < 4


def reached(edges: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = [*edges.get(start, ())]
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo += edges.get(at, ())
    return seen


def test_several_are_had_together_or_none_of_them(scene: Scene) -> None:
    scene.held("ada", "b")
    wanted = [Wanted("c", "bob"), Wanted("a", "bob"), Wanted("b", "bob")]
    with pytest.raises(BusyError):
        acquire_all(scene.store, scene.clock, wanted, Manner(backoff=Backoff(attempts=1)))
    assert [lease.session for lease in scene.store.leases()] == ["ada"]
    assert not scene.store.waits()
    scene.store.release(scene.store.leases()[0])
    assert [lease.name for lease in acquire_all(scene.store, scene.clock, wanted)] == ["a", "b", "c"]


def test_a_cancelled_wait_leaves_the_line(scene: Scene) -> None:
    scene.held("ada")
    cancelled = threading.Event()
    with pytest.raises(BusyError):
        acquire(
            scene.store,
            scene.clock,
            Wanted("plan.api", "bob"),
            Manner(cancelled=cancelled, show=lambda _: cancelled.set()),
        )
    assert not scene.store.waits()
    assert scene.store.lease_notes(action="gave-up")[0].session == "bob"


def test_s1_11_every_end_of_a_lease_is_in_the_history_with_how_long_it_was_held(scene: Scene) -> None:
    first = scene.held("ada")
    scene.clock.advance(7)
    ledger.end(scene.store, scene.clock, first, ledger.Action.BROKEN, "by bob")
    scene.clock.reboot()
    told = [(n.action, n.session, n.token, n.seconds, n.detail) for n in scene.store.lease_notes()]
    assert told == [("broken", "ada", 1, 7.0, "by bob"), ("granted", "ada", 1, 0.0, "")]
    (event,) = scene.store.events_after(0)
    assert (event.event, event.data["action"], event.data["token"]) == ("lease.lost", "broken", 1)


def test_a_lease_that_ran_out_is_told_when_another_takes_it(scene: Scene) -> None:
    lease = try_acquire(scene.store, scene.clock, Wanted("x", "ada", expiry=60))
    assert lease is not None
    scene.clock.advance(61)
    assert scene.held("bob", "x").token == 2
    assert [n.action for n in scene.store.lease_notes("x")] == ["granted", "expired", "granted"]
    assert [event.event for event in scene.store.events_after(0)] == ["lease.lost"]


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_jump_of_the_wall_clock_changes_no_place_and_no_estimate(scene: Scene, jump: float) -> None:
    scene.held("ada")
    first = scene.waits("first")
    scene.clock.set_wall(jump)
    second = scene.waits("second")
    now = scene.clock.monotonic()
    why = blocked(second, scene.store.leases(), scene.store.waits(), now=now)
    assert why is not None
    assert why.ahead == (first,)
    assert why.position == 2
