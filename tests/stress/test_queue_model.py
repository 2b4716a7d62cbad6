"""The real queue against a serial oracle: whatever people, checks and accidents do, in whatever order.

Acts hand in, drop, lift to the head, push again, push past the queue, make checks flake, die or hang, kill
workers at a step, halt them until their lease has gone to others, and let ``git gc --prune=now`` loose. Where
main is a remote's, pushes are cut as well, refused, or made long after they were given up, and another clone
lands the same work. After each of them the invariants hold; at the end all is decided as the oracle foretold.
``PLANCTL_STRESS_MODEL`` (100) stories of each world, numbered from ``PLANCTL_STRESS_SEED``, in `make
stress`, a few always the same ones in `make test`. One that fails is told by its number: with that as the
seed, and one story, the first shard plays it alone.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant

from tests.stress.model.draws import (
    ASIDES,
    KINDS,
    LAID,
    LAID_OR_NOT,
    NO_VERDICT,
    ON_THE_WIRE,
    PAST,
    PAUSES_ON_THE_WIRE,
    PIECES,
    SHIFTS,
    SOMETHING,
    WORK,
    Aside,
    Piece,
    Shift,
)
from tests.stress.model.laws import JudgedWorld, world_at
from tests.stress.model.remote import RemoteWorld, remote_world_at
from tests.stress.model.stories import WHICH, Story, act, tell_story
from tests.stress.model.tally import RULES, tell
from tests.stress.model.wire import CUTS
from tests.support.campaigns import Record
from tests.support.nursery import Nursery, nursery_in, only_where_processes_fork

pytestmark = only_where_processes_fork

SEED = int(os.environ.get("PLANCTL_STRESS_SEED", "20261128"))
EXAMPLES = int(os.environ.get("PLANCTL_STRESS_MODEL", "100"))
SHARDS = 4
STORIES = max(EXAMPLES // SHARDS, 1)
LENGTH, REMOTE_LENGTH = 50, 32
SLICE, REMOTE_SLICE = (19,), (315,)
"""Numbers of short stories in which much happens."""
POLICIES: tuple[dict[str, Any], ...] = (
    {"queue": "serial"},
    {"queue": "batch"},
    {"queue": "serial", "check_jobs": 3},
    {"queue": "batch", "check_jobs": 2},
    {"queue": "ranked", "check_jobs": 3},
    {"queue": "lanes", "check_jobs": 2},
)
"""In turn. Policy changes what runs, never what may land; but for ``lanes``, see ``World.apart`` (S13)."""
Maker = Callable[[Path, Path, Nursery, dict[str, Any]], JudgedWorld]


class Machine(Story):
    """What is drawn does not depend on what was found, so that the same draws give the same story."""

    world: JudgedWorld

    def __init__(self, world: JudgedWorld) -> None:
        super().__init__()
        self.world = world
        self.is_sound = False

    @act(work=WORK, start=st.integers(0, 3), method=st.sampled_from((None, None, "squash")), shift=SHIFTS)
    def enqueue(
        self, work: list[Piece], start: int = 0, method: str | None = None, shift: Shift | None = None
    ) -> None:
        for piece in work:
            self.world.hand_in(self.branch(piece, start), method=method)
        self.take(shift)

    @act(piece=PIECES, parent=WHICH, shift=SHIFTS)
    def enqueue_on_top_of_another(self, piece: Piece, parent: int, shift: Shift | None) -> None:
        self.world.hand_in(self.branch(piece, parent=parent))
        self.take(shift)

    @act(piece=PIECES, of=WHICH, shift=SHIFTS)
    def enqueue_after_another(self, piece: Piece, of: int, shift: Shift | None) -> None:
        if self.world.branches:
            first = self.pick(of)
            self.world.hand_in(self.branch(piece), after=first)
        self.take(shift)

    def enqueue_again(self, which: int) -> None:
        if self.world.jobs:
            job = [*self.world.jobs.values()][which % len(self.world.jobs)]
            self.world.hand_in_again(job)

    @act(work=WORK, which=WHICH)
    def jump(self, work: list[Piece], which: int) -> None:
        self.enqueue(work)
        self.world.jump(which)

    @act(which=WHICH, kind=KINDS)
    def repush(self, which: int, kind: str) -> None:
        if self.world.branches:
            name = self.pick(which)
            self.world.push_again(name, kind)
            self.world.hand_in(name)

    @act(kind=PAST)
    def outside_push(self, kind: str) -> None:
        self.world.push_outside(kind)

    @act()
    def work(self) -> None:
        self.world.drain()

    @act()
    def wake(self) -> None:
        self.world.wake()

    def branch(self, piece: Piece, start: int = 0, parent: int | None = None) -> str:
        name = self.world.branch(piece.kind, start, parent)
        if piece.flaw:
            self.world.lay(name, piece.flaw, piece.times if piece.flaw in NO_VERDICT else 1)
        return name

    def take(self, shift: Shift | None) -> None:
        """A worker comes, and does not get far."""
        if shift is not None:
            (self.world.kill_at if shift.fate == "killed" else self.world.halt_at)(shift.moment)
            self.meanwhile(shift.aside)
            if shift.others:
                self.world.drain()

    @act(aside=SOMETHING)
    def meanwhile(self, aside: Aside) -> None:
        match aside.what:
            case "cancel":
                self.world.drop(aside.which)
            case "jump":
                self.world.jump(aside.which)
            case "enqueue_again":
                self.enqueue_again(aside.which)
            case "repush":
                self.repush(aside.which, aside.kind)
            case "past":
                self.outside_push(aside.kind)
            case "restart":
                self.world.restart()
            case "gc":
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

    @act(work=WORK, what=LAID, times=st.integers(1, 3), aside=ASIDES)
    def push_goes_wrong(self, work: list[Piece], what: str, times: int, aside: Aside) -> None:
        self.enqueue(work)
        self.world.lay_ready(what, times)
        self.world.drain()
        self.meanwhile(aside)
        self.world.calm()

    @act(work=WORK, what=st.sampled_from(CUTS), moment=ON_THE_WIRE, aside=ASIDES, others=st.booleans())
    def crash_around_a_cut(
        self, work: list[Piece], what: str, moment: str, aside: Aside, *, others: bool
    ) -> None:
        self.elsewhere(work, both=True)
        self.world.lay_ready(what, 1)
        self.world.kill_at(moment)
        self.meanwhile(aside)
        if others:
            self.world.drain_elsewhere()
        self.world.calm()

    @act(work=WORK, both=st.booleans())
    def elsewhere(self, work: list[Piece], *, both: bool) -> None:
        for piece in work:
            name = self.branch(piece)
            self.world.hand_in_elsewhere(name)
            if both:
                self.world.hand_in(name)

    @act(what=LAID_OR_NOT)
    def work_elsewhere(self, what: str) -> None:
        self.lay_ready_or_not(what)
        self.world.drain_elsewhere()
        self.world.calm()

    @act(work=WORK, moment=ON_THE_WIRE)
    def crash_elsewhere(self, work: list[Piece], moment: str) -> None:
        self.elsewhere(work, both=True)
        self.world.kill_at(moment, self.world.elsewhere)

    @act(work=WORK, what=LAID_OR_NOT, moment=PAUSES_ON_THE_WIRE, aside=ASIDES)
    def halt_on_the_wire(self, work: list[Piece], what: str, moment: str, aside: Aside) -> None:
        self.elsewhere(work, both=True)
        self.lay_ready_or_not(what)
        self.world.halt_at(moment)
        self.meanwhile(aside)
        self.world.drain_elsewhere()
        self.world.calm()

    def lay_ready_or_not(self, what: str) -> None:
        if what:
            self.world.lay_ready(what, 1)


def play(
    maker: Maker,
    machine_of: Callable[[Any], Machine],
    places: tuple[Path, Path],
    numbers: Iterable[int],
    steps: int,
) -> list[Counter[str]]:
    """Play the story of each number; returns what happened in each, how often."""
    template, folder = places
    worlds, tallies = itertools.count(), []

    def machine() -> Machine:
        world = maker(template, folder / f"{next(worlds)}", nursery, POLICIES[number % len(POLICIES)])
        tallies.append(world.tally)
        return machine_of(world)

    with nursery_in(folder) as nursery:
        for number in numbers:
            tell_story(number, machine, steps)
    return [tally for tally in tallies if tally["worlds"]]


def numbers(shard: int) -> range:
    """The stories of a shard."""
    return range(SEED + 1000 * shard, SEED + 1000 * shard + STORIES)


@pytest.mark.timeout(300)
def test_s4_l3_a_slice_of_the_model(template: Path, tmp_path: Path, record_property: Record) -> None:
    tallies = play(world_at, Machine, (template, tmp_path), SLICE, 7)
    tally = tell(record_property, tallies)
    assert tally["batches"]
    assert tally["lifted"]


@pytest.mark.timeout(300)
def test_s4_l3_a_slice_of_the_model_with_a_remote(
    template: Path, tmp_path: Path, record_property: Record
) -> None:
    tallies = play(remote_world_at, RemoteMachine, (template, tmp_path), REMOTE_SLICE, 4)
    tally = tell(record_property, tallies)
    assert tally["cut"]
    assert tally["batches"]


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_s4_l3_the_model(template: Path, tmp_path: Path, record_property: Record, shard: int) -> None:
    tallies = play(world_at, Machine, (template, tmp_path), numbers(shard), LENGTH)
    tell(record_property, tallies, rules=RULES)


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_s4_l3_the_model_with_a_remote(
    template: Path, tmp_path: Path, record_property: Record, shard: int
) -> None:
    tallies = play(remote_world_at, RemoteMachine, (template, tmp_path), numbers(shard), REMOTE_LENGTH)
    tell(record_property, tallies, rules=(*RULES, "cut", "refused"))
