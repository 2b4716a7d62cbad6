"""The paths that are found lazily are those of an enumeration of all, and so are the checks."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.planning.chances import chances, in_steps
from orchestrator.planning.model import Item, Known, Snapshot, Stack
from orchestrator.planning.paths import best_first
from orchestrator.planning.ranked import plan_ranked

SIZE = 6


@st.composite
def views(draw: st.DrawFn) -> Snapshot:
    """Small queues at work: some verdicts on paths, some checks, some that need others."""
    size = draw(st.integers(1, SIZE))
    numbers = range(size)
    meets = tuple(draw(st.integers(0, (1 << n) - 1)) for n in numbers)
    view = Snapshot(
        items=tuple(Item(f"c{n}", draw(st.floats(0, 1))) for n in numbers),
        meets=meets,
        needs=tuple(draw(st.integers(0, (1 << n) - 1)) & meets[n] for n in numbers),
        slots=draw(st.integers(1, 40)),
        twice=draw(st.booleans()),
    )
    every = [Stack(view.ids(a), (view.items[n].id,)) for n, a, _ in every_path(view, [0.5] * size)]
    known = draw(st.dictionaries(st.sampled_from(every), st.sampled_from([Known(1, 0), Known(0, 1)])))
    running = draw(st.lists(st.sampled_from(every), unique=True, max_size=view.slots))
    return Snapshot(view.items, meets, view.needs, known, tuple(running), view.slots, twice=view.twice)


def every_path(view: Snapshot, lands: list[float]) -> list[tuple[int, int, float]]:
    """Each item, each set of outcomes of those it meets: the number, the assumed bits, the probability."""
    found = []
    for number, meets in enumerate(view.meets):
        met = [n for n in range(number) if meets >> n & 1]
        for outcomes in product((True, False), repeat=len(met)):
            assumed = sum(1 << n for n, landed in zip(met, outcomes, strict=True) if landed)
            needed = 1.0
            for n, landed in zip(met, outcomes, strict=True):
                needed *= lands[n] if landed else 1 - lands[n]
            if not (view.needs[number] if view.needs else 0) & ~assumed:
                found.append((number, assumed, needed))
    return found


@given(views(), st.sampled_from([0.0, 0.001, 0.15, 0.5]))
def test_paths_come_best_first_and_all_of_them(view: Snapshot, threshold: float) -> None:
    chance = chances(view)
    found = list(best_first(view, chance, threshold))
    probabilities = [needed for needed, _, _ in found]
    assert probabilities == pytest.approx(sorted(probabilities, reverse=True))
    assert len({path[1:] for path in found}) == len(found)
    every = {(n, a): needed for n, a, needed in every_path(view, chance.lands)}
    for needed, number, assumed in found:
        assert needed == pytest.approx(every[number, assumed])
    well_above = {path for path, needed in every.items() if needed > threshold * 1.000001}
    assert well_above <= {path[1:] for path in found}


@given(views())
def test_no_check_that_is_begun_is_needed_less_than_one_that_is_not(view: Snapshot) -> None:
    """And each is one that can still say something, never more of them than slots."""
    wanted = plan_ranked(view, threshold=0.01)
    if wanted.land or wanted.eject:
        return
    assert len(wanted.checks) <= view.slots
    chance = chances(view).lands
    needed = {(n, a): p for n, a, p in every_path(view, chance)}
    begun = [stack for stack in wanted.checks if stack not in view.running]
    worth = [needed[path(view, stack)] for stack in begun]
    left = [
        probability
        for (number, assumed), probability in needed.items()
        if probability > 0.010001
        and (stack := Stack(view.ids(assumed), (view.items[number].id,))) not in wanted.checks
        and stack not in view.running
        and not view.known.get(stack, Known()).passed
    ]
    if left:
        assert len(wanted.checks) == view.slots
        assert all(max(left) <= each * 1.000001 for each in worth)
    assert all(not view.known.get(stack, Known()).passed for stack in begun)


def path(view: Snapshot, stack: Stack) -> tuple[int, int]:
    return view.place[stack.tested[0]], view.mask(stack.assumed)


@given(st.floats(0, 1))
def test_steps_are_finer_than_estimates(probability: float) -> None:
    told = in_steps(probability)
    assert 0 < told < 1
    assert told == pytest.approx(probability, abs=0.017)
    assert in_steps(told) == told
