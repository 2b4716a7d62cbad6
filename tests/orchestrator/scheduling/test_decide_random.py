"""Random runs played to their end without git: no dead-lock, nobody starts beside whom they exclude."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from orchestrator.scheduling.decide import decide
from orchestrator.scheduling.reasons import Code, reason
from orchestrator.states import AttemptState as A
from plans.ids import PlanId
from plans.model import Plan
from plans.project import OverlapMode
from tests.support.views import World, a_plan, a_view

FILES = ("a", "b", "c/d", "c/e")
PATTERNS = ("a", "b", "c/**", "c/d", "*")


def some_plans(rng: random.Random) -> list[Plan]:
    names = [f"p{n:02d}" for n in range(rng.randint(1, 9))]
    rng.shuffle(names)
    plans = []
    for number, name in enumerate(names):
        earlier = rng.sample(names[:number], min(number, rng.choice((0, 0, 1, 1, 2))))
        needs = [n + rng.choice(("", "", ":finished", ":started", ":phase-1")) for n in earlier]
        plans.append(
            a_plan(
                name,
                *needs,
                write=rng.sample(PATTERNS, rng.choice((0, 1, 1, 2))),
                read=rng.sample(PATTERNS, rng.choice((0, 0, 1))),
                priority=rng.choice((25, 50, 50, 90)),
                retries=rng.choice((0, 0, 1)),
                resources={"db": rng.choice((1, 2))} if rng.random() < 0.3 else {},
                conflicts_with=tuple(
                    PlanId(n) for n in rng.sample(names, 1) if n != name and rng.random() < 0.3
                ),
            )
        )
    return plans


def play(seed: int) -> World:
    rng = random.Random(seed)
    plans = some_plans(rng)
    view = a_view(
        *plans,
        jobs=rng.randint(1, 4),
        mode=rng.choice((OverlapMode.SERIALIZE, OverlapMode.SERIALIZE, OverlapMode.ISOLATE)),
        keep_going=rng.random() < 0.5,
        land=rng.random() < 0.85,
        capacities={"db": rng.choice((1, 2, 3))},
        standstill="target-red" if rng.random() < 0.05 else None,
    )
    drifters = rng.sample(plans, rng.randint(0, len(plans)))
    touches = {p.id: {rng.choice(plans).id: "a"} for p in drifters if rng.random() < 0.5}
    some = rng.sample(plans, rng.randint(0, len(plans))) if rng.random() < 0.5 else []
    reserved = {p.id: reason(Code.RESERVED, detail="a", holder="agent s", pattern="a") for p in some}
    world = World(replace(view, touches=touches, reserved=reserved), rng)
    world.play()
    return world


def campaign(seeds: range) -> None:
    started = 0
    for seed in seeds:
        try:
            world = play(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        started += len(world.started)
        for plan, attempt in world.view.attempts.items():
            assert attempt.state not in (A.PENDING, A.WAITING, A.PREPARING, A.RUNNING), (seed, plan)
            never = plan not in world.started and attempt.state is not A.LANDED
            held_back = attempt.state is A.FINISHED and world.view.options.land
            assert not (never or held_back) or world.reasons[plan]["code"], (seed, plan)
    assert started > len(seeds), "the worlds are too poor to show anything"


def test_s2_7_s2_9_random_runs_come_to_an_end_in_order() -> None:
    campaign(range(400))


@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_many_random_runs_come_to_an_end_in_order() -> None:
    campaign(range(1000, 21_000))


def test_the_same_view_is_decided_the_same_way() -> None:
    plans = some_plans(random.Random(5))
    shuffled = list(plans)
    random.Random(6).shuffle(shuffled)
    assert decide(a_view(*plans)) == decide(a_view(*shuffled))
