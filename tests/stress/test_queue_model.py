"""The real queue against a serial oracle: whatever people, checks and accidents do, in whatever order.

Rules hand in, drop, lift to the head, push again, push past the queue, make checks flake, die or hang, kill
workers at a step, halt them until their lease has gone to others, and let ``git gc --prune=now`` loose. Where
main is a remote's, pushes are cut as well, refused, or made long after they were given up, and another clone
lands the same work. After each of them the invariants hold; at the end all is decided as the oracle foretold.
``PLANCTL_STRESS_MODEL`` (100) examples of each world from ``PLANCTL_STRESS_SEED`` in `make stress`, a few
always the same ones in `make test`.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.stress.model.laws import JudgedWorld, world_at
from tests.stress.model.remote import RemoteWorld, remote_world_at
from tests.stress.model.tally import LONG, RULES, tell
from tests.stress.model.wire import CUTS, REFUSALS
from tests.support.campaigns import Record
from tests.support.nursery import Nursery, nursery_in, only_where_processes_fork

pytestmark = only_where_processes_fork

SEED = int(os.environ.get("PLANCTL_STRESS_SEED", "20261128"))
EXAMPLES = int(os.environ.get("PLANCTL_STRESS_MODEL", "100"))
SHARDS = 4
MANY = {"max_examples": max(EXAMPLES // SHARDS, 1), "stateful_step_count": 50}
SLICE, REMOTE_SLICE = 32, 4
"""Seeds of stories in which all kinds of things happen."""
STEPS = (
    "objects.write",
    "queue.epoch",
    "candidate.keep",
    "landing.refs",
    "provision.checkout",
    "running.launch",
    "store.commit",
    "landing.refs",
    "candidate.forget",
)
KINDS = ("own", "own", "own", "bad", "half-a", "half-b", "shared-1", "shared-2")
REMOTE_STEPS = tuple(f"remote.{what}" for what in ("push", "push", "follow", "epoch", "fetch", "trailers"))
SIDES, TIMES = st.sampled_from(("before", "after")), st.sampled_from((1, 1, 1, 2, 3))
MOMENTS = st.builds("{}:{}:{}".format, st.sampled_from(STEPS), SIDES, TIMES)
ON_THE_WIRE = st.builds("{}:{}:{}".format, st.sampled_from((*REMOTE_STEPS, *STEPS)), SIDES, TIMES)
PAUSES = st.builds(
    "{}:{}:{}".format, st.sampled_from([s for s in STEPS if s != "store.commit"]), SIDES, TIMES
)
"""Who is halted in a transaction of the store keeps everybody out of it, and is waited for."""
FLAWS = ("flake", "none", "kill", "flake", "none", "kill", "hang")
NO_VERDICT = ("none", "kill")
WORK = st.lists(st.sampled_from(KINDS), min_size=1, max_size=3)
POLICIES: tuple[dict[str, Any], ...] = (
    {"queue": "serial"},
    {"queue": "batch"},
    {"queue": "serial", "check_jobs": 3},
    {"queue": "batch", "check_jobs": 2},
    {"queue": "ranked", "check_jobs": 3},
    {"queue": "lanes", "check_jobs": 2},
)
"""In turn; the plainest first, for hypothesis begins with the dullest story. Policy changes what runs, never
what may land; but for ``lanes``, see ``World.apart`` (S13)."""
Maker = Callable[[Path, Path, Nursery, dict[str, Any]], JudgedWorld]
ANY = st.integers(0, 10_000)


class Machine(RuleBasedStateMachine):
    """What is drawn does not depend on what was found, so that the same draws give the same story."""

    world: JudgedWorld
    last = ""

    def __init__(self, world: JudgedWorld) -> None:
        super().__init__()
        self.world = world
        self.is_sound = False

    @rule(kinds=WORK, start=st.integers(0, 3), method=st.sampled_from((None, None, "squash")))
    def enqueue(self, kinds: list[str], start: int, method: str | None) -> None:
        for kind in kinds:
            self.last = self.world.branch(kind, start, None)
            self.world.hand_in(self.last, method=method)

    @rule(kind=st.sampled_from(KINDS), parent=ANY)
    def enqueue_on_top_of_another(self, kind: str, parent: int) -> None:
        self.last = self.world.branch(kind, 0, parent)
        self.world.hand_in(self.last)

    @rule(kind=st.sampled_from(KINDS), of=ANY)
    def enqueue_after_another(self, kind: str, of: int) -> None:
        if self.world.branches:
            first = self.pick(of)
            self.last = self.world.branch(kind, 0, None)
            self.world.hand_in(self.last, after=first)

    @rule(which=ANY)
    def enqueue_again(self, which: int) -> None:
        if self.world.jobs:
            job = [*self.world.jobs.values()][which % len(self.world.jobs)]
            self.world.hand_in_again(job)

    @rule(which=ANY)
    def cancel(self, which: int) -> None:
        self.world.drop(which)

    @rule(kinds=WORK, which=ANY)
    def jump(self, kinds: list[str], which: int) -> None:
        self.enqueue(kinds, 0, None)
        self.world.jump(which)

    @rule(which=ANY, kind=st.sampled_from(KINDS))
    def repush(self, which: int, kind: str) -> None:
        if self.world.branches:
            name = self.pick(which)
            self.world.push_again(name, kind)
            self.world.hand_in(name)

    @rule(kind=st.sampled_from(("own", "own", "shared-1", "bad", "mend", "mend")))
    def outside_push(self, kind: str) -> None:
        self.world.push_outside(kind)

    @rule(kind=st.sampled_from(KINDS), flaw=st.sampled_from(FLAWS), times=st.integers(1, 3))
    def enqueue_with_a_flawed_check(self, kind: str, flaw: str, times: int) -> None:
        self.last = self.world.branch(kind, 0, None)
        self.world.lay(self.last, flaw, times if flaw in NO_VERDICT else 1)
        self.world.hand_in(self.last)

    @rule()
    def work(self) -> None:
        self.world.drain()

    @rule(kinds=WORK, moment=MOMENTS)
    def crash(self, kinds: list[str], moment: str) -> None:
        self.enqueue(kinds, 0, None)
        self.world.kill_at(moment)

    @rule(kinds=WORK, moment=PAUSES, others=st.booleans())
    def halt(self, kinds: list[str], moment: str, *, others: bool) -> None:
        self.enqueue(kinds, 0, None)
        self.world.halt_at(moment)
        if others:
            self.world.drain()

    @rule()
    def wake(self) -> None:
        self.world.wake()

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @rule()
    def gc(self) -> None:
        self.world.collect()

    def pick(self, number: int) -> str:
        return [*self.world.branches][number % len(self.world.branches)]

    @invariant()
    def holds(self) -> None:
        self.is_sound = False
        self.world.require()
        self.is_sound = True

    def teardown(self) -> None:
        try:
            if self.is_sound:
                self.world.settle()
        finally:
            self.world.close()
            shutil.rmtree(self.world.folder)


class RemoteMachine(Machine):
    """The same where main is a remote's, with a second clone and a wire."""

    world: RemoteWorld

    @rule(kinds=WORK, what=st.sampled_from((*CUTS, *REFUSALS)), times=st.integers(1, 3))
    def push_goes_wrong(self, kinds: list[str], what: str, times: int) -> None:
        self.enqueue(kinds, 0, None)
        self.world.lay_ready(what, times)
        self.world.drain()
        self.world.calm()

    @rule(kinds=WORK, what=st.sampled_from(CUTS), moment=ON_THE_WIRE, others=st.booleans())
    def crash_around_a_cut(self, kinds: list[str], what: str, moment: str, *, others: bool) -> None:
        self.elsewhere(kinds, both=True)
        self.world.lay_ready(what, 1)
        self.world.kill_at(moment)
        if others:
            self.world.drain_elsewhere()
        self.world.calm()

    @rule(kinds=WORK, both=st.booleans())
    def elsewhere(self, kinds: list[str], *, both: bool) -> None:
        for kind in kinds:
            self.last = self.world.branch(kind, 0, None)
            self.world.hand_in_elsewhere(self.last)
            if both:
                self.world.hand_in(self.last)

    @rule()
    def work_elsewhere(self) -> None:
        self.world.drain_elsewhere()

    @rule(kinds=WORK, moment=ON_THE_WIRE)
    def crash_elsewhere(self, kinds: list[str], moment: str) -> None:
        self.elsewhere(kinds, both=True)
        self.world.kill_at(moment, self.world.elsewhere)

    @rule(kinds=WORK, moment=ON_THE_WIRE.filter(lambda moment: not moment.startswith("store.")))
    def halt_on_the_wire(self, kinds: list[str], moment: str) -> None:
        self.elsewhere(kinds, both=True)
        self.world.halt_at(moment)
        self.world.drain_elsewhere()


def play(
    maker: Maker,
    machine_of: Callable[[Any], Machine],
    places: tuple[Path, Path],
    number: int,
    **options: Any,
) -> Counter[str]:
    """Play stories from the seed ``number``; returns what happened in them, how often."""
    template, folder = places
    worlds, tally = itertools.count(), Counter[str]()

    def machine() -> Machine:
        number = next(worlds)
        world = maker(template, folder / f"{number}", nursery, POLICIES[number % len(POLICIES)])
        world.tally = tally
        return machine_of(world)

    with nursery_in(folder) as nursery:
        run_state_machine_as_test(
            seed(number)(machine),
            settings=settings(
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=[*HealthCheck],
                print_blob=False,
                **options,
            ),
        )
    return tally


@pytest.mark.timeout(300)
def test_s4_l3_a_slice_of_the_model(template: Path, tmp_path: Path, record_property: Record) -> None:
    few = {"max_examples": 2, "stateful_step_count": 7}
    tally = play(world_at, Machine, (template, tmp_path), SLICE, **few)
    tell(record_property, tally)
    assert tally["batches"], tally
    assert tally["lifted"], tally


@pytest.mark.timeout(300)
def test_s4_l3_a_slice_of_the_model_with_a_remote(
    template: Path, tmp_path: Path, record_property: Record
) -> None:
    few = {"max_examples": 2, "stateful_step_count": 4}
    tally = play(remote_world_at, RemoteMachine, (template, tmp_path), REMOTE_SLICE, **few)
    tell(record_property, tally)
    assert tally["cut"], tally
    assert tally["batches"], tally


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_s4_l3_the_model(template: Path, tmp_path: Path, record_property: Record, shard: int) -> None:
    tally = play(world_at, Machine, (template, tmp_path), SEED + shard, **MANY)
    tell(record_property, tally, rules=RULES if MANY["max_examples"] >= LONG else ())


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_s4_l3_the_model_with_a_remote(
    template: Path, tmp_path: Path, record_property: Record, shard: int
) -> None:
    tally = play(remote_world_at, RemoteMachine, (template, tmp_path), SEED + shard, **MANY)
    tell(record_property, tally, rules=(*RULES, "cut", "refused") if MANY["max_examples"] >= LONG else ())
