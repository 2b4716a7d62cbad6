"""What a person does in the folder of a slot that nobody has any more."""

from __future__ import annotations

from orchestrator.slots.keeper import PLAN, SlotKeeper
from orchestrator.states import SlotState
from tests.support.queues import queue_of, require_sound
from tests.support.repo import GitRepo


def test_s9_what_came_into_a_freed_slot_is_rescued_before_another_plan_has_it(repo: GitRepo) -> None:
    with queue_of(repo) as queue:
        keeper = SlotKeeper(queue.bench)
        slot = keeper.take(PLAN)
        tree = keeper.make_ready(slot, queue.main())
        assert keeper.give_back(slot).state is SlotState.FREE
        (tree.path / "late.txt").write_text("late\n")
        (tree.path / "README.md").write_text("a late edit\n")
        again = keeper.take(PLAN)
        assert again.name == slot.name
        keeper.make_ready(again, queue.main())
        assert repo.git("status", "--porcelain", at=tree.path) == ""
        (rescued,) = queue.events("worktree.rescued")
        kept = rescued.data["reference"]
        assert repo.show(kept, "late.txt") == "late\n"
        assert repo.show(kept, "README.md") == "a late edit\n"
    require_sound(repo)
