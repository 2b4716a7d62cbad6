"""The simulator's line of changes: bit sets kept by shifting are those worked out anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.simulation.line import Line
from orchestrator.simulation.workload import Change, Recipe, draw


@given(st.integers(0, 1 << 20), st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40))
def test_order_and_bits_are_those_worked_out_anew(seed: int, steps: list[tuple[int, bool]]) -> None:
    """Changes come in with priorities and are taken out of anywhere."""
    changes = draw(Recipe(changes=40, meets=0.4), seed)
    ranks = {change.id: steps[number % len(steps)][0] for number, change in enumerate(changes) if steps}

    def key(change: Change) -> tuple[float, ...]:
        return (-ranks[change.id], int(change.id[1:]))

    line, there = Line(key), []
    for number, (which, takes) in enumerate(steps):
        line.add(changes[number])
        there.append(changes[number])
        if takes:
            gone = there.pop(which % len(there))
            assert line.take(gone.id) is gone
        there.sort(key=key)
        assert [item.id for item in line.items] == [change.id for change in there]
        assert line.meets == tuple(
            sum(1 << m for m in range(n) if there[m].id in there[n].meets or there[n].id in there[m].meets)
            for n in range(len(there))
        )
