"""The queue's planner: one decision about a thousand entries, and what a simulated change costs in all.

The queue is one in the middle of its work: verdicts green and red on likely paths, half of the slots taken.
Each decision reads a snapshot that has computed nothing before.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.measure import Result, Target, Work
from orchestrator.planning.model import Item, Known, Rates, Snapshot, Stack
from orchestrator.planning.policy import Policy, plan
from orchestrator.simulation.engine import Conditions, Simulation
from orchestrator.simulation.workload import Recipe, draw

ENTRIES = 1000
SLOTS = 500
ROUNDS = 21
LIMIT = Target(50)
SIMULATED = 200


def results(_scratch: Path, _cache: Path) -> Iterator[Result]:
    for meets in (0.05, 1.0):
        view = busy(ENTRIES, meets, SLOTS)
        for policy in (Policy.RANKED, Policy.AUTO, Policy.BATCH):
            if decided := plan(view, policy).land:
                raise RuntimeError(f"the queue is to be at work, not about to land {decided}")
            times = [processor_time(lambda p=policy, v=view: plan(replace(v), p)) for _ in range(ROUNDS)]
            name = f"a decision, {policy}, {ENTRIES:,} entries, {meets:.0%} overlap, processor time"
            yield Result(name, median(times), rounds=ROUNDS, target=LIMIT)
    changes = draw(Recipe(SIMULATED, 500, 0.05, 0.0335, 0.1, 0.97), 0)
    conditions = Conditions(SLOTS, Rates(0.1))
    taken = processor_time(Simulation(changes, lambda view: plan(view, Policy.AUTO), conditions).run)
    yield Result(f"simulate, auto, each of {SIMULATED} changes, processor time", taken / SIMULATED)


def processor_time(work: Work) -> float:
    """Milliseconds of this process: pure computing, of which other work on the machine says nothing."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def busy(entries: int, meets: float, slots: int) -> Snapshot:
    """Three times the wanted checks are taken and half of them have ended; nothing is decided."""
    drawn = random.Random(entries)
    items = tuple(
        Item(f"c{n}", drawn.choice((0.9, 0.97, 0.999, drawn.uniform(0.9, 1)))) for n in range(entries)
    )
    bits = tuple(_some(drawn, n, meets) for n in range(entries))
    view = Snapshot(items, bits, slots=slots)
    for _ in range(3):
        known = dict(view.known)
        checks = plan(view, Policy.RANKED).checks
        ended = set(drawn.sample(range(len(checks)), len(checks) // 2))
        for number in ended:
            known[checks[number]] = _verdict(drawn, view, checks[number])
        running = tuple(stack for number, stack in enumerate(checks) if number not in ended)
        view = replace(view, known=known, running=running)
    return view


def _some(drawn: random.Random, below: int, share: float) -> int:
    return sum(1 << n for n in range(below) if drawn.random() < share)


def _verdict(drawn: random.Random, view: Snapshot, stack: Stack) -> Known:
    """Red once, where a green one would land or a second red one be out."""
    first = not view.meets[view.place[stack.tested[0]]]
    return Known(failed=1) if first or drawn.random() < 0.2 else Known(passed=1)
