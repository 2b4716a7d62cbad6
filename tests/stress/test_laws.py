"""What the model of the queue holds of stories in which little happens, but oddly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stress.model.laws import world_at
from tests.support.nursery import nursery_in, only_where_processes_fork

pytestmark = only_where_processes_fork


@pytest.mark.parametrize("policy", ["serial", "batch"])
def test_s10_work_that_came_with_what_was_built_on_it_is_there(
    template: Path, tmp_path: Path, policy: str
) -> None:
    """The middle one waits for the first; what stands on it does not, and may land beside the first."""
    with nursery_in(tmp_path) as nursery:
        world = world_at(template, tmp_path / "world", nursery, {"queue": policy})
        first = world.branch("own", 0, None)
        world.hand_in(first)
        middle = world.branch("own", 0, None)
        world.hand_in(middle, after=first)
        upper = world.branch("own", 0, 1)
        world.hand_in(upper)
        last = world.branch("own", 0, None)
        world.hand_in(last, after=middle)
        world.drain()
        world.require()
        world.settle()
        assert set(world.queue.states().values()) == {"landed"}
        world.close()
