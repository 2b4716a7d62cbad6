"""planctl is killed at every step of a resolution: the next one goes on, or has put everything back."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from orchestrator.slots.prepared import folder_of, journals
from tests.support.faces import reading
from tests.support.gates import at_work
from tests.support.plans import commit_plans, landings
from tests.support.process import run
from tests.support.queues import configure, landed_once, require_sound
from tests.support.repo import GitRepo
from tests.support.slices import mostly
from worktrees.repository import find

BOTH = "printf 'both\\n' > src/a.py"
STEPS = (
    "branch.attach",
    "resolver.folder",
    "resolver.journal",
    "resolver.merge",
    "resolver.tell",
    "running.launch",
    "resolver.add",
    "resolver.commit",
    "resolver.forget",
)
MOMENTS = [
    *(f"{step}:{side}" for step in STEPS for side in ("before", "after")),
    "resolver.journal:before:2",
    "resolver.journal:after:2",
    "resolver.journal:before:3",
    "resolver.journal:after:3",
]
OFTEN = ("resolver.merge:after", "running.launch:after", "resolver.journal:after:3")
BACK = ("resolver.reset", "resolver.clean", "resolver.forget")
MOMENTS_BACK = [f"{step}:{side}" for step in BACK for side in ("before", "after")]


def scene(repo: GitRepo, resolver: str) -> str:
    configure(repo, resolver=json.dumps(resolver))
    repo.branch("one", {"src/a.py": "one\n"})
    return repo.branch("two", {"src/a.py": "two\n"})


def killed_at(repo: GitRepo, moment: str, *arguments: str) -> None:
    killed = run(*arguments, cwd=repo.path, env={"PLANCTL_KILL_AT": moment})
    assert killed.code == -signal.SIGKILL, f"{moment} was never reached: {killed}"


def require_nothing_left(repo: GitRepo) -> None:
    assert list(folder_of(find(repo.path)).glob("*")) == []
    assert at_work(repo) == []
    with reading(repo) as store:
        assert {str(slot.state) for slot in store.slots()} <= {"free"}
        assert store.leases() == []
    assert repo.git("status", "--porcelain") == ""
    healthy = run("doctor", "--json", cwd=repo.path)
    assert healthy.code == 0, healthy
    require_sound(repo)


@pytest.mark.parametrize("moment", mostly(MOMENTS, OFTEN))
def test_p18_killed_while_a_conflict_is_resolved(repo: GitRepo, moment: str) -> None:
    scene(repo, BOTH)
    killed_at(repo, moment, "merge", "one", "two")
    again = run("merge", "one", "two", "--json", cwd=repo.path)
    assert again.code == 0, again
    landed_once(repo, again.data["entries"][1]["id"])
    assert repo.show("main", "src/a.py") == "both\n"
    require_nothing_left(repo)


@pytest.mark.parametrize("moment", mostly(MOMENTS, ["resolver.merge:after"]))
def test_p18_a_disk_that_fails_while_a_conflict_is_resolved(repo: GitRepo, moment: str) -> None:
    """Once: it is said, and what was begun is put back or gone on with."""
    scene(repo, BOTH)
    failed = run("merge", "one", "two", "--json", cwd=repo.path, env={"PLANCTL_FAIL_AT": f"EIO@{moment}"})
    if failed.code == 1:
        (entry,) = [e for e in failed.data["entries"] if e["branch"] == "two"]
        assert entry["state"] == "conflicted"
        assert "EIO" in json.dumps(entry["reason"]) or "Input/output" in json.dumps(entry["reason"])
        require_nothing_left(repo)
    again = run("merge", "one", "two", "--json", cwd=repo.path)
    assert again.code == 0, (failed, again)
    assert repo.show("main", "src/a.py") == "both\n"
    require_nothing_left(repo)


@pytest.mark.parametrize("moment", mostly(MOMENTS_BACK, ["resolver.clean:after"]))
def test_p18_killed_while_a_worktree_is_put_back(repo: GitRepo, moment: str) -> None:
    head = scene(repo, "echo half > half.txt; exit 1")
    killed_at(repo, moment, "merge", "one", "two")
    again = run("merge", "two", "--json", cwd=repo.path)
    assert again.code == 1, again
    (entry,) = again.data["entries"]
    assert (entry["state"], entry["reason"]["code"]) == ("conflicted", "resolver-failed")
    assert repo.head("two") == head
    rescues = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue").split()
    assert rescues, "what the resolver had made is kept"
    assert repo.show(rescues[0], "half.txt") == "half\n"
    require_nothing_left(repo)


@pytest.mark.parametrize(
    "moment", mostly(["resolver.merge:after", "running.launch:after", "resolver.commit:after"], [])
)
def test_p18_a_killed_run_goes_on_with_its_conflict(repo: GitRepo, moment: str) -> None:
    plans: dict[str, dict[str, object]] = {p: {"run": f"echo {p} > src/a.py"} for p in ("one", "two")}
    commit_plans(repo, plans, f"overlap: isolate\nresolver: {json.dumps(BOTH)}\n")
    killed_at(repo, moment, "run-multi", "one", "two")
    resumed = run("resume", cwd=repo.path)
    assert resumed.code == 0, resumed
    assert sorted(landings(repo)) == ["one", "two"]
    assert repo.show("main", "src/a.py") == "both\n"
    require_nothing_left(repo)


def test_work_that_came_after_the_resolved_commit_is_not_committed_with_it(repo: GitRepo) -> None:
    """Killed right after the journal says which commit it is; then a person works on in the worktree."""
    plans: dict[str, dict[str, object]] = {p: {"run": f"echo {p} > src/a.py"} for p in ("one", "two")}
    commit_plans(repo, plans, f"overlap: isolate\nresolver: {json.dumps(BOTH)}\n")
    killed_at(repo, "resolver.journal:after:3", "run-multi", "one", "two")
    (prepared,) = journals(find(repo.path))
    worktree = Path(run("worktree", "path", prepared.branch.removeprefix("plan/"), cwd=repo.path).out.strip())
    (worktree / "mine.txt").write_text("mine\n")
    assert repo.head(prepared.branch) == prepared.commit
    resumed = run("resume", cwd=repo.path)
    assert resumed.code == 0, resumed
    assert sorted(landings(repo)) == ["one", "two"]
    assert repo.show("main", "src/a.py") == "both\n"
    assert repo.head(prepared.branch) == prepared.commit
    assert "mine.txt" not in repo.git("ls-tree", "--name-only", "main").split()
    kept = repo.git("log", "--format=%H", "--all", "--", "mine.txt").split()
    assert (worktree / "mine.txt").exists() or kept, "it is there, or rescued"


def test_a_command_that_outlived_its_planctl_is_gone_on_with(repo: GitRepo, tmp_path: Path) -> None:
    """It counts once: what it has made by then is what is queued."""
    count = tmp_path / "count"
    scene(repo, f"echo x >> {count}; {BOTH}")
    killed_at(repo, "running.launch:after", "merge", "one", "two")
    assert run("merge", "two", cwd=repo.path).code == 0
    assert count.read_text().split() == ["x"]


def test_a_drop_after_the_kill_takes_everything_back(repo: GitRepo) -> None:
    head = scene(repo, "echo half > half.txt; sleep 1000")
    killed_at(repo, "running.launch:after", "merge", "one", "two")
    assert run("queue", "drop", "two", cwd=repo.path).code == 0
    assert repo.head("two") == head
    require_nothing_left(repo)


def test_doctor_takes_back_a_merge_that_nobody_waits_for(repo: GitRepo) -> None:
    scene(repo, "sleep 1000")
    killed_at(repo, "running.launch:after", "merge", "one", "two")
    killed_at(repo, "resolver.reset:before", "queue", "drop", "two")
    sick = run("doctor", "--json", cwd=repo.path)
    assert "merge-left" in {issue["code"] for issue in sick.data["issues"]}
    assert run("doctor", "--fix", cwd=repo.path).code == 0
    require_nothing_left(repo)


def test_uninstall_takes_a_prepared_merge_back_first(repo: GitRepo) -> None:
    head = scene(repo, BOTH)
    killed_at(repo, "resolver.merge:after", "merge", "one", "two")
    done = run("uninstall", cwd=repo.path)
    assert done.code == 0, done
    assert not (repo.path / ".git/planctl").exists()
    assert repo.head("two") == head
    assert repo.git("worktree", "list", "--porcelain").count("worktree ") == 1


def test_uninstall_waits_for_a_resolver_at_work(repo: GitRepo) -> None:
    scene(repo, "sleep 1000")
    killed_at(repo, "running.launch:after", "merge", "one", "two")
    assert run("uninstall", cwd=repo.path).code == 4
    assert run("queue", "drop", "two", cwd=repo.path).code == 0
    assert at_work(repo) == []
