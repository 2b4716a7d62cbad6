"""P27: the disk floor of the pool, and ``worktree prune``, which gives space back."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.slots import room
from orchestrator.states import SlotState
from tests.support.cli import planctl
from tests.support.faces import contents, reading, write_plan
from tests.support.plans import commit_plans
from tests.support.process import end_of, read_until, run, start
from tests.support.repo import GitRepo

FLOOR = 1 << 40


@pytest.fixture
def plans(repo: GitRepo) -> GitRepo:
    for plan in ("one", "two"):
        write_plan(repo, plan, f"echo x > {plan}.txt", files=f"{{write: [{plan}.txt]}}")
    repo.commit("plans", {"planctl.yaml": f"pool: {{disk_floor: {FLOOR}}}\n"})
    return repo


def pool_of(repo: GitRepo) -> Path:
    return repo.path.with_name("repo.worktrees")


def free(monkeypatch: pytest.MonkeyPatch, has_room: object) -> None:
    """Say of the disk that it has room whenever ``has_room()``; a disk cannot be had at will."""

    def told(folder: Path) -> tuple[Path, int]:
        return folder, FLOOR if has_room() else 5  # type: ignore[operator]

    monkeypatch.setattr(room, "free_space", told)


def test_p27_below_the_floor_a_plan_waits_with_a_stored_reason(repo: GitRepo) -> None:
    plans = {"one": {"files": {"write": ["x"]}, "run": "echo x > x"}}
    commit_plans(repo, plans, "pool: {disk_floor: 999999999GB}\n")  # type: ignore[arg-type]
    started = start("run-multi", "one", "--json", cwd=repo.path)
    waiting = read_until(started, "plan.waiting", "one")
    assert waiting["reason"]["code"] == "disk-floor"
    assert "(pool: disk_floor)" in waiting["text"]
    (row,) = planctl("status", "--json", repo=repo.path).data["plans"]
    assert (row["state"], row["reason"]["code"]) == ("waiting", "disk-floor")
    assert not pool_of(repo).exists()
    said = planctl("worktree", "add", "one", repo=repo.path)
    assert said.code == 4
    started.terminate()
    assert end_of(started).code == 143


def test_p27_worktree_add_is_refused_and_writes_nothing(plans: GitRepo) -> None:
    (plans.path / "planctl.yaml").write_text("pool: {disk_floor: 999999999GB}\n", encoding="utf-8")
    said = planctl("worktree", "add", "one", repo=plans.path)
    assert (said.code, "the floor is" in said.stderr, "disk_floor" in said.stderr) == (4, True, True)
    with reading(plans) as store:
        assert list(store.attempts(plan="one")) == []
    assert "floor" in planctl("doctor", repo=plans.path).stdout


def test_p27_the_plan_goes_on_when_there_is_room(plans: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    def waited() -> bool:
        with reading(plans) as store:
            return any(e.event == "plan.waiting" for e in store.events_after(0))

    free(monkeypatch, waited)
    said = planctl("run-multi", "one", repo=plans.path)
    assert said.code == 0, said
    assert "waits for space on the disk" in said.stdout + said.stderr
    assert plans.show("main", "one.txt") == "x\n"


def test_p27_free_worktrees_go_before_a_plan_waits(plans: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    (plans.path / "planctl.yaml").unlink()
    assert planctl("run-multi", "one", repo=plans.path).code == 0
    slot = pool_of(plans) / "slot-01"
    assert slot.is_dir()
    plans.git("checkout", "-q", "--", "planctl.yaml")
    seen: list[bool] = []

    def has_room() -> bool:
        seen.append(slot.is_dir())
        return not slot.is_dir() or len(seen) > 20

    free(monkeypatch, has_room)
    said = planctl("run-multi", "two", repo=plans.path)
    assert said.code == 0, said
    assert True in seen, "there was a shortage"
    assert "waits for space" not in said.stdout + said.stderr
    assert False in seen, "the free worktree was removed, and one made anew"


def test_p27_a_free_worktree_that_a_person_locked_or_works_in_is_not_lost(
    plans: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plans.path / "planctl.yaml").unlink()
    assert planctl("run-multi", "one", repo=plans.path).code == 0
    plans.git("checkout", "-q", "--", "planctl.yaml")
    slot = pool_of(plans) / "slot-01"
    plans.git("worktree", "lock", str(slot))
    free(monkeypatch, lambda: False)
    assert planctl("worktree", "add", "two", repo=plans.path).code == 4
    assert slot.is_dir()
    plans.git("worktree", "unlock", str(slot))
    (slot / "late.txt").write_text("by a person\n", encoding="utf-8")
    assert planctl("worktree", "add", "two", repo=plans.path).code == 4
    assert not slot.exists()
    (row,) = planctl("rescue", "list", "--json", repo=plans.path).data["rescues"]
    assert plans.show(row["reference"], "late.txt") == "by a person\n"


def states(repo: GitRepo) -> dict[str, str]:
    with reading(repo) as store:
        return {s.name: str(s.state) for s in store.slots() if s.state is not SlotState.REMOVED}


def test_p27_prune_shows_first_and_spares_what_is_wanted(plans: GitRepo) -> None:
    (plans.path / "planctl.yaml").unlink()
    write_plan(plans, "fails", "echo half > half.txt; exit 3")
    assert run("run-multi", "one", "two", "fails", "--keep-going", cwd=plans.path).code == 1
    before = contents(plans.path), states(plans)
    said = planctl("worktree", "prune", "--dry-run", "--json", repo=plans.path)
    after = contents(plans.path)
    assert after == before[0], "a dry run changes nothing, byte for byte"
    assert {row["slot"] for row in said.data["would_remove"]} == set(before[1])
    shown = planctl("worktree", "prune", "--dry-run", "--keep", "1", repo=plans.path).stdout
    assert shown.count("would remove") == len(before[1]) - 1
    assert "would keep" in shown
    pruned = planctl("worktree", "prune", "--keep", "1", "--json", repo=plans.path)
    assert len(pruned.data["removed"]) == len(before[1]) - 1
    assert list(states(plans).values()) == ["free"]
    assert planctl("worktree", "prune", repo=plans.path).code == 0
    assert states(plans) == {}
