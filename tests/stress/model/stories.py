"""Stories: acts in a row, drawn by hypothesis from a number, each from its number alone.

Not as hypothesis draws them by itself: it begins with the dullest one (the same thing fifty times), makes
most of the others by changing a little of one before, and leaves rules out of a story, often nearly all. Of
fifteen that it drew two were dull, five nearly the same, and in one of four nobody handed anything in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, assume, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

Method = Callable[..., None]
WHICH = st.integers(0, 63)
"""No range is wide: into wide ones hypothesis throws numbers that it finds in whatever code is loaded, and a
number would not always give the same story."""


def act(**drawn: st.SearchStrategy[Any]) -> Callable[[Method], Method]:
    """What may be done in a story, with these arguments."""

    def mark(method: Method) -> Method:
        vars(method)["drawn"] = st.fixed_dictionaries(drawn)
        return method

    return mark


class Story(RuleBasedStateMachine):
    """Its acts are the methods that :func:`act` marks; up to three of them are left out of it."""

    @initialize(without=st.lists(WHICH, min_size=1, max_size=3))
    def begin(self, without: list[int]) -> None:
        assume(any(without))  # else it is the dullest one
        acts = [name for name in dir(self) if hasattr(getattr(type(self), name, None), "drawn")]
        left_out = {acts[number % len(acts)] for number in without}
        self.acts = [name for name in acts if name not in left_out]

    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        do = getattr(self, data.draw(st.sampled_from(self.acts)))
        do(**data.draw(do.drawn))


def tell_story(number: int, story: Callable[[], Story], steps: int) -> None:
    """Play the story with the number, of so many steps."""
    print(f"story {number}")
    run_state_machine_as_test(
        seed(number)(story),
        settings=settings(
            max_examples=1,
            stateful_step_count=1 + steps,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[*HealthCheck],
            print_blob=False,
        ),
    )
