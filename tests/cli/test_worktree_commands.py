"""``worktree``, ``pointer``, ``phase``, ``rescue``: by hand, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.states import AttemptState, SlotState
from tests.support.cli import Said, planctl
from tests.support.faces import LIMIT, bench_at, cli, reading, store_of, write_plan
from tests.support.repo import GitRepo
from worktrees import metadata_lock
from worktrees.repository import find


@pytest.fixture
def plans(repo: GitRepo) -> GitRepo:
    """Two plans with commands that would fail; by hand nothing of them runs."""
    phases = '[{name: "1", run: "exit 7"}, {name: "2"}]'
    write_plan(repo, "one", "exit 7", phases=phases)
    write_plan(repo, "two", "exit 7")
    repo.commit("plans")
    return repo


def add(repo: GitRepo, plan: str) -> GitRepo:
    """The worktree of ``plan``, made by hand."""
    said = planctl("worktree", "add", plan, "--json", repo=repo.path)
    assert said.code == 0, said
    return GitRepo(Path(said.data["worktree"]))


def listed(repo: GitRepo) -> dict[str, dict[str, Any]]:
    rows = planctl("worktree", "list", "--json", repo=repo.path).data["worktrees"]
    return {row["slot"]: row for row in rows}


def the_attempt(repo: GitRepo, plan: str) -> AttemptState:
    with reading(repo) as store:
        return store.attempts(plan=plan)[-1].state


def references(repo: GitRepo, prefix: str) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname)", prefix).splitlines()


def test_s2_2_worktrees_by_hand_have_their_own_branch_and_pointer(plans: GitRepo) -> None:
    one, two = add(plans, "one"), add(plans, "plans/two.md")
    assert one.path != two.path
    for slot, plan in ((one, "one"), (two, "two")):
        assert slot.git("symbolic-ref", "HEAD") == f"refs/heads/plan/{plan}"
        assert slot.head() == plans.head()
        assert slot.git("status", "--porcelain") == "", "the pointer is excluded"
        assert planctl("pointer", "show", repo=slot.path).stdout == f"{plan}\n"
        assert planctl("worktree", "path", plan, repo=plans.path).stdout == f"{slot.path}\n"
    assert planctl("pointer", "show", repo=plans.path).code == 1, "there is no global pointer"
    assert plans.git("branch", "--show-current") == "main"


def test_what_is_committed_by_hand_is_landed_by_the_queue(plans: GitRepo) -> None:
    slot = add(plans, "one")
    slot.commit("by hand", {"hand.txt": "made\n"})
    with bench_at(plans) as (bench, _):
        from orchestrator.services.queue import add as queue_add

        entry = queue_add(bench, "one")
    assert (entry.plan, entry.head, entry.base) == ("one", slot.head(), plans.head())
    assert the_attempt(plans, "one") is AttemptState.QUEUED
    said = planctl("worktree", "remove", "one", repo=plans.path)
    assert said.code == 1
    assert "merge queue" in said.stderr
    assert slot.path.is_dir()


def test_worktree_list_has_the_shape_of_the_contract(plans: GitRepo) -> None:
    slot = add(plans, "one")
    row = listed(plans)["slot-01"]
    assert {key: row[key] for key in ("slot", "path", "state", "plan", "branch", "head", "dirty")} == {
        "slot": "slot-01",
        "path": str(slot.path),
        "state": "leased",
        "plan": "one",
        "branch": "plan/one",
        "head": plans.head(),
        "dirty": False,
    }
    slot.write("new.txt", "x\n")
    assert listed(plans)["slot-01"]["dirty"] is True
    assert planctl("worktree", "list", repo=plans.path).stdout.split()[:2] == ["slot-01", "leased"]


def test_worktree_add_refuses_what_is_at_work_and_what_is_not_its_own(plans: GitRepo) -> None:
    add(plans, "one")
    again = planctl("worktree", "add", "one", repo=plans.path)
    assert (again.code, "prepared" in again.stderr) == (4, True)
    plans.git("branch", "plan/two")
    assert planctl("worktree", "add", "two", repo=plans.path).code == 2
    assert list(listed(plans)) == ["slot-01"], "nothing was made for it"
    assert planctl("worktree", "add", "two", "--adopt", repo=plans.path).code == 0
    assert planctl("worktree", "add", "three", repo=plans.path).code == 2


def test_l4_worktree_add_behind_a_stopped_holder_can_be_tried_again(
    plans: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others hold is exit 4; the worktree is made when they have let go."""
    monkeypatch.setattr(metadata_lock, "PATIENCE", 0.05)
    with metadata_lock.metadata_lock(find(plans.path)):
        said = planctl("worktree", "add", "one", "--json", repo=plans.path)
    assert (said.code, said.data["error"]["code"]) == (4, "held-up")
    assert "worktrees.lock for 0.05 seconds" in said.data["error"]["message"]
    assert (add(plans, "one").path / "plans/one.md").exists()


def test_s10_worktree_add_refuses_a_plan_whose_dependency_has_not_landed(plans: GitRepo) -> None:
    write_plan(plans, "late", dependencies="[one]")
    write_plan(plans, "stacked", dependencies="[{plan: one, phase: 1}]")
    for plan in ("late", "stacked"):
        said = planctl("worktree", "add", plan, repo=plans.path)
        assert (said.code, "one, which has not landed" in said.stderr) == (2, True)
    slot = add(plans, "one")
    slot.write("phase-one.txt", "x\n")
    assert planctl("phase", "complete", "1", repo=slot.path).code == 0
    assert (add(plans, "stacked").path / "phase-one.txt").exists()
    assert planctl("worktree", "add", "late", repo=plans.path).code == 2


def test_a_set_up_that_fails_is_told_and_the_worktree_can_be_removed(plans: GitRepo) -> None:
    plans.commit("settings", {"planctl.yaml": "setup: echo broken && exit 3\n"})
    said = planctl("worktree", "add", "one", repo=plans.path)
    assert said.code == 1
    assert "setup ended with 3" in said.stderr
    assert the_attempt(plans, "one") is AttemptState.FAILED
    assert planctl("logs", "one", repo=plans.path).stdout == "broken\n"
    assert planctl("worktree", "remove", "one", repo=plans.path).code == 0


def test_p9_remove_rescues_and_parks_before_anything_goes(plans: GitRepo) -> None:
    slot = add(plans, "one")
    commit = slot.commit("not landed", {"a.txt": "committed\n"})
    slot.write("b.txt", "not committed\n")
    said = planctl("worktree", "remove", "one", "--json", repo=plans.path)
    (gone,) = said.data["removed"]
    assert (said.code, gone["slot"], gone["plan"]) == (0, "slot-01", "one")
    assert not slot.path.exists()
    assert listed(plans) == {}
    assert plans.head(gone["parked"][0]) == commit == plans.head("plan/one")
    assert plans.show(gone["rescue"], "b.txt") == "not committed\n"
    assert the_attempt(plans, "one") is AttemptState.CANCELLED
    assert planctl("worktree", "remove", "one", repo=plans.path).code == 2


def test_p9_a_detached_commit_that_only_the_slot_holds_is_parked(plans: GitRepo) -> None:
    slot = add(plans, "one")
    slot.git("checkout", "-q", "--detach")
    commit = slot.commit("on no branch", {"a.txt": "x\n"})
    assert planctl("worktree", "remove", "slot-01", repo=plans.path).code == 0
    assert [plans.head(name) for name in references(plans, "refs/planctl/archive")] == [commit]


def test_remove_refuses_what_is_at_work(plans: GitRepo) -> None:
    slot = add(plans, "one")
    with store_of(plans) as store:
        attempt = store.attempts(plan="one")[0]
        held = store.slot("slot-01")
        assert held is not None
        running = replace(attempt, id="a2", plan="two", state=AttemptState.RUNNING, version=0)
        store.add_attempt(running)
        store.move_slot(held, SlotState.RESCUING)
        rescuing = store.slot("slot-01")
        assert rescuing is not None
        free = store.move_slot(rescuing, SlotState.FREE)
        store.move_slot(free, SlotState.LEASED, attempt="a2", plan="two")
    said = planctl("worktree", "remove", "slot-01", repo=plans.path)
    assert said.code == 1
    assert "two is running" in said.stderr
    assert planctl("worktree", "prune", repo=plans.path).code == 0
    assert slot.path.is_dir()


def test_p9_a_slot_with_a_repository_inside_is_quarantined_and_kept_before_a_person_lets_it_go(
    plans: GitRepo,
) -> None:
    slot = add(plans, "one")
    inner = GitRepo(slot.path / "inner")
    slot.git("init", "-q", "inner")
    tip = inner.commit("of another repository", {"work.txt": "work\n"})
    inner.write("work.txt", "uncommitted\n")
    said = planctl("worktree", "remove", "one", repo=plans.path)
    assert (said.code, "inner" in said.stderr, "refs/planctl/rescue/one/" in said.stderr) == (1, True, True)
    assert listed(plans)["slot-01"]["state"] == "quarantined"
    assert planctl("worktree", "remove", "slot-01", repo=plans.path).code == 1, "not without --force"
    assert "quarantined" in planctl("worktree", "prune", repo=plans.path).stdout
    assert inner.head() == tip
    gone = planctl("worktree", "remove", "slot-01", "--force", "--json", repo=plans.path)
    assert gone.code == 0, gone.stderr
    assert not slot.path.exists()
    (removed,) = gone.data["removed"]
    assert "inner/" in planctl("rescue", "show", removed["rescue"], repo=plans.path).stdout
    said = restore(plans, removed["rescue"], "--json")
    assert (said.code, said.data["nested"]) == (0, ["inner"]), said
    again = GitRepo(plans.path / "inner")
    assert (again.head(), again.git("diff", "--name-only")) == (tip, "work.txt")


def test_p9_a_slot_whose_work_cannot_be_had_whole_stays_even_by_force(plans: GitRepo) -> None:
    slot = add(plans, "one")
    slot.write("new.txt", "kept\n")
    (find(slot.path).git_dir / "index").write_bytes(b"damaged")
    for force in ((), ("--force",)):
        said = planctl("worktree", "remove", "slot-01", *force, repo=plans.path)
        assert (said.code, "the index" in said.stderr) == (1, True)
        assert listed(plans)["slot-01"]["state"] == "quarantined"
    row = planctl("rescue", "list", "--json", repo=plans.path).data["rescues"][-1]
    assert plans.git("show", f"{row['commit']}:new.txt") == "kept"
    assert (slot.path / "new.txt").exists()


def test_a_worktree_that_a_person_locked_stays(plans: GitRepo) -> None:
    slot = add(plans, "one")
    plans.git("worktree", "lock", str(slot.path))
    said = planctl("worktree", "remove", "one", repo=plans.path)
    assert (said.code, "locked" in said.stderr) == (4, True)
    assert listed(plans)["slot-01"]["state"] == "leased"


def test_a_worktree_whose_folder_was_deleted_can_be_removed(plans: GitRepo) -> None:
    slot = add(plans, "one")
    slot.commit("on the branch", {"a.txt": "x\n"})
    commit = slot.head()
    slot.git("worktree", "list")
    for path in sorted(slot.path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    slot.path.rmdir()
    assert listed(plans)["slot-01"]["dirty"] is None
    assert planctl("worktree", "remove", "one", repo=plans.path).code == 0
    assert plans.head("plan/one") == commit


def test_prune_removes_what_has_ended_and_keeps_what_waits(plans: GitRepo) -> None:
    write_plan(plans, "fails", "echo half > half.txt; exit 3")
    write_plan(plans, "lands", "echo x > landed.txt")
    plans.commit("more")
    assert planctl("run-multi", "fails", "lands", "--keep-going", repo=plans.path).code == 1
    kept = add(plans, "one")
    said = planctl("worktree", "prune", "--json", repo=plans.path)
    assert said.code == 0
    assert [row["slot"] for row in said.data["kept"]] == [kept.path.name]
    assert list(listed(plans)) == [kept.path.name]
    rescued = [row["rescue"] for row in said.data["removed"] if row["plan"] == "fails"]
    everything = references(plans, "refs/planctl/rescue/fails")
    assert rescued[0] in everything
    assert plans.show(everything[-1], "half.txt") == "half\n"
    again = planctl("worktree", "prune", "--json", repo=plans.path)
    assert again.data["removed"] == []


def test_a_removed_slot_is_used_again(plans: GitRepo) -> None:
    first = add(plans, "one")
    assert planctl("worktree", "remove", "one", repo=plans.path).code == 0
    assert add(plans, "two").path == first.path


def test_a_run_does_not_move_a_branch_under_a_worktree_made_by_hand(plans: GitRepo) -> None:
    slot = add(plans, "two")
    commit = slot.commit("by hand", {"hand.txt": "x\n"})
    said = planctl("run-multi", "two", repo=plans.path)
    assert (said.code, "`planctl queue add two` hands it in" in said.stderr) == (2, True)
    assert (slot.head(), plans.head("plan/two")) == (commit, commit)
    assert slot.git("status", "--porcelain") == ""


# -- pointer and phase ------------------------------------------------------------------------------


def test_s2_1_the_pointer_of_a_plans_worktree_stays_and_that_of_ones_own_can_be_set(plans: GitRepo) -> None:
    slot = add(plans, "one")
    for arguments in (("set", "two"), ("clear",)):
        said = planctl("pointer", *arguments, repo=slot.path)
        assert (said.code, "worktree of one" in said.stderr) == (2, True)
    assert planctl("pointer", "set", "one", repo=slot.path).code == 0
    assert planctl("pointer", "set", "plans/two.md", repo=plans.path / "src").code == 0
    assert planctl("pointer", "show", "--json", repo=plans.path).data["plan"] == "two"
    assert plans.git("status", "--porcelain") == ""
    assert planctl("pointer", "show", repo=slot.path).stdout == "one\n"
    assert planctl("pointer", "clear", "--json", repo=plans.path).data["was"] == "two"
    assert planctl("pointer", "show", repo=plans.path).code == 1
    assert planctl("pointer", "set", "../one", repo=plans.path).code == 2


def test_phases_of_a_plan_whose_work_is_done_are_complete(repo: GitRepo) -> None:
    def shown() -> list[tuple[str, str, str | None]]:
        rows = planctl("phase", "list", "one", "--json", repo=repo.path).data["phases"]
        return [(row["phase"], row["state"], row["commit"]) for row in rows]

    phases = '[{name: "1", run: "echo 1 > f"}, {name: "2"}]'
    write_plan(repo, "one", "echo 2 > f", phases=phases)
    repo.commit("a plan")
    assert [row[1] for row in shown()] == ["open", "open"]
    process = cli(repo, "run-multi", "one")
    process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    pinned = repo.head("refs/planctl/phases/one/1")
    assert shown() == [("1", "complete", pinned), ("2", "complete", repo.head("plan/one"))]
    write_plan(repo, "one", "echo 3 > f", phases=phases)
    assert shown()[1] == ("2", "open", None), "another text is other work"


def test_s2_1_phase_complete_takes_its_plan_from_where_it_stands(plans: GitRepo) -> None:
    slot = add(plans, "one")
    slot.write("half.txt", "phase one\n")
    said = planctl("phase", "complete", "1", "--json", repo=slot.path)
    assert said.code == 0, said
    assert plans.show(said.data["commit"], "half.txt") == "phase one\n"
    assert plans.head("refs/planctl/phases/one/1") == said.data["commit"] == slot.head()
    rows = planctl("phase", "list", "one", "--json", repo=plans.path).data["phases"]
    assert [(row["phase"], row["state"], row["commit"]) for row in rows] == [
        ("1", "complete", said.data["commit"]),
        ("2", "open", None),
    ]
    assert "one 2: open" in planctl("phase", "list", repo=plans.path).stdout
    assert planctl("phase", "complete", "9", repo=slot.path).code == 2
    assert planctl("phase", "complete", "1", repo=plans.path).code == 2, "nothing says which plan"
    assert planctl("phase", "complete", "1", "--plan", "two", repo=plans.path).code == 2, "not at work"


# -- rescue -----------------------------------------------------------------------------------------


@pytest.fixture
def rescued(plans: GitRepo) -> GitRepo:
    slot = add(plans, "one")
    slot.write("src/a.py", "edited\n")
    slot.write("new.txt", "untracked\n")
    assert planctl("worktree", "remove", "one", repo=plans.path).code == 0
    return plans


def restore(repo: GitRepo, *arguments: str) -> Said:
    return planctl("rescue", "restore", *arguments, repo=repo.path)


def test_p9_a_rescue_is_listed_shown_and_brought_back(rescued: GitRepo) -> None:
    (row,) = planctl("rescue", "list", "--json", repo=rescued.path).data["rescues"]
    assert (row["plan"], row["reference"]) == ("one", f"refs/planctl/rescue/one/{row['stamp']}")
    assert f"one/{row['stamp']}" in planctl("rescue", "list", "one", repo=rescued.path).stdout
    assert planctl("rescue", "list", "two", "--json", repo=rescued.path).data["rescues"] == []
    for name in ("one", row["stamp"], row["commit"][:12], f"one/{row['stamp']}", row["reference"]):
        assert "new.txt" in planctl("rescue", "show", name, repo=rescued.path).stdout
    assert planctl("rescue", "show", "zz", repo=rescued.path).code == 2
    said = restore(rescued, "one", "--json")
    assert said.code == 0, said
    assert sorted(said.data["written"]) == ["new.txt", "src/a.py"]
    assert (rescued.path / "src/a.py").read_text(encoding="utf-8") == "edited\n"
    again = restore(rescued, "one")
    assert (again.code, "uncommitted work" in again.stderr) == (1, True)


def test_a_rescue_goes_into_a_slot_only_where_a_plan_holds_it_and_is_not_at_work(rescued: GitRepo) -> None:
    slot = add(rescued, "two")
    assert restore(rescued, "one", "--into", str(slot.path)).code == 0
    assert (slot.path / "new.txt").exists()
    with store_of(rescued) as store:
        row = store.slot(slot.path.name)
        assert row is not None
        store.move_slot(row, SlotState.BROKEN)
    slot.git("reset", "-q", "--hard")
    (slot.path / "new.txt").unlink()
    said = restore(rescued, "one", "--into", str(slot.path))
    assert (said.code, "is broken" in said.stderr) == (2, True)


def test_a_rescue_that_stood_elsewhere_is_refused_unless_detached(rescued: GitRepo) -> None:
    base = rescued.head()
    rescued.commit("main goes on", {"other.txt": "x\n"})
    said = restore(rescued, "one")
    assert (said.code, "--detach" in said.stderr) == (1, True)
    assert rescued.git("status", "--porcelain") == ""
    assert restore(rescued, "one", "--detach").code == 0
    assert rescued.head() == base
