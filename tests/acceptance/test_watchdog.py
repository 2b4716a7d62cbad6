"""S3.11: sessions live, crash and leave nothing, in real processes with real kills."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.running import supervision
from orchestrator.running.platforms import find_process
from orchestrator.states import AttemptState, RunState, SessionState
from tests.support import faces
from tests.support.agents import Agent
from tests.support.cli import planctl
from tests.support.gates import Gates, assert_at_rest, store_of, supervised
from tests.support.plans import commit_plans
from tests.support.process import end_of, end_started, run, start, until
from tests.support.repo import GitRepo
from tests.support.slices import mostly, seldom

DEAF = "setsid sh -c 'trap \"\" TERM; sleep 1000 & sleep 1001 & wait'"
MOMENTS = [
    f"{name}:{side}"
    for name in ("end-processes", "rescue", "give-back", "log-folder")
    for side in ("before", "after")
]
SIGNALS = ["running.signal:after", "running.signal:after:5", "file.append:after:2"]


@pytest.fixture(autouse=True)
def nothing_outlives_a_test() -> Any:
    yield
    end_started()


def sweep(repo: GitRepo, code: int) -> Any:
    said = planctl("watchdog", "--once", "--json", "--grace", "0", repo=repo.path)
    assert said.code == code, said
    return said.data


def asked(repo: GitRepo, *arguments: str) -> Any:
    return planctl(*arguments, "--json", repo=repo.path).data


def log_of(repo: GitRepo) -> list[str]:
    path = repo.path / ".git/planctl/logs/cleanup.log"
    return path.read_text().splitlines() if path.exists() else []


def watchdog(repo: GitRepo) -> Any:
    return asked(repo, "status")["watchdog"]


@pytest.fixture
def slot(repo: GitRepo) -> Path:
    """The worktree of a plan with a task, prepared for whoever works there by hand."""
    repo.write("plans/api.md", "---\nplan: api\n---\n# API\n## Phase 1: One\n- [ ] 1.1 Do it\n")
    repo.git("add", ".")
    repo.git("commit", "-qm", "plan")
    assert planctl("worktree", "add", "api", repo=repo.path).code == 0
    (row,) = asked(repo, "worktree", "list")["worktrees"]
    return Path(row["path"])


def crash(repo: GitRepo, slot: Path) -> list[int]:
    """An agent claims a task, edits, starts a tree of processes that are deaf to TERM, and is killed."""
    with Agent(repo) as agent:
        tree = agent.leaves(DEAF)
        agent.says(f"session start --agent forge --child {tree}")
        agent.does(f"cd '{slot}' && echo half > half.txt")
        assert '"claimed"' in agent.says(f"--repo '{slot}' task claim api:1.1 --json")
        agent.says("lock acquire build")
        below = until(lambda: [p for p in _children_of(tree) if len(_children_of(tree)) == 2])
        agent.kill()
    return [tree, *below]


def _children_of(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def assert_nothing_left(repo: GitRepo, slot: Path, tree: list[int]) -> None:
    assert [pid for pid in tree if find_process(pid)] == []
    assert asked(repo, "lock", "list")["leases"] == []
    (task,) = asked(repo, "task", "list")["tasks"]
    assert (task["state"], task["left"]["worktree"]) == ("open", str(slot))
    assert repo.git("show", f"{task['left']['rescue']}:half.txt") == "half"
    assert (slot / "half.txt").read_text() == "half\n", "and it is still where it was"
    with store_of(repo) as store:
        assert {s.state for s in store.sessions()} == {SessionState.ENDED}
        assert not [s for s in store.sessions() if s.children or s.left_behind]


def test_s3_11_a_normal_life_is_none_of_the_watchdogs_business(repo: GitRepo) -> None:
    """What an agent that leaves in order lets run, it means to let run."""
    with Agent(repo) as agent:
        pid = agent.starts("sleep 1000")
        agent.says("session start --agent forge")
        assert sweep(repo, 0)["found"] is False
        (row,) = asked(repo, "session", "list")["sessions"]
        assert [child["pid"] for child in row["children"]] == [pid], "noted, for the day it crashes"
        agent.says("session end")
        agent.kill()
    assert sweep(repo, 0)["found"] is False
    assert find_process(pid) is not None
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("faster", ["another cleaner", *seldom("nobody")])
def test_s3_11_what_a_crashed_session_leaves_is_put_right(repo: GitRepo, slot: Path, faster: str) -> None:
    """S3.5, S3.6: also when another process has ended the session before: ``doctor``, or whoever waited."""
    tree = crash(repo, slot)
    if faster != "nobody":
        assert planctl("session", "start", repo=repo.path).code == 0, "a newcomer ends the dead"
        planctl("session", "end", repo=repo.path)
    done = sweep(repo, 1)
    assert {p["pid"] for p in done["processes"] if p["ended"]} == set(tree)
    assert len(done["rescues"]) == 1
    assert_nothing_left(repo, slot, tree)
    for pid in tree:
        assert len([line for line in log_of(repo) if f"(pid {pid})" in line and "process-ended" in line]) == 1
    assert sweep(repo, 0)["found"] is False


def bytes_of(top: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a worktree, and its index, with the times that a touch would change."""
    git = Path((top / ".git").read_text().removeprefix("gitdir:").strip())
    files = [p for p in top.rglob("*") if p.is_file()]
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in (*files, git / "index", git / "HEAD")}


@pytest.mark.parametrize("registered", ["there", "in the main checkout"])
def test_s3_11_work_of_a_crashed_agent_in_a_worktree_of_its_own_is_kept(
    repo: GitRepo, registered: str
) -> None:
    """Nothing is touched there; with a task it is filed under the task's plan, and told by doctor and log."""
    repo.commit("one", {"kept.txt": "as it was\n"})
    repo.git("worktree", "add", "-q", "-b", "mine", "../mine")
    own = repo.path.parent / "mine"
    with Agent(repo) as agent:
        at = f"--repo '{own}' " if registered == "there" else ""
        agent.says(f"{at}session start --agent forge")
        agent.says(f"--repo '{own}' session heartbeat")
        agent.does(f"cd '{own}' && echo new > new.txt && echo changed > kept.txt && git add kept.txt")
        agent.does("echo mine > users.txt")
        agent.kill()
    before = bytes_of(own)
    done = sweep(repo, 1)
    (reference,) = done["rescues"]
    assert reference.startswith("refs/planctl/rescue/mine/")
    assert (repo.git("show", f"{reference}:new.txt"), repo.git("show", f"{reference}:kept.txt")) == (
        "new",
        "changed",
    )
    assert bytes_of(own) == before
    assert (repo.path / "users.txt").exists(), "nothing is kept of the main checkout"
    assert [line for line in log_of(repo) if f"[work-rescued] {own} as {reference}" in line]
    waiting = [i for i in asked(repo, "doctor")["issues"] if i["code"] == "rescue-waiting"]
    assert [issue["subject"] for issue in waiting] == ["mine"]
    assert sweep(repo, 0)["found"] is False


def test_s3_11_who_has_no_name_or_works_in_the_main_checkout_is_a_person_there(repo: GitRepo) -> None:
    """A shell that is closed in a worktree leaves its edits where they are, and nothing is filed of them."""
    repo.git("worktree", "add", "-q", "-b", "mine", "../mine")
    for start_, place in (("session start", "../mine"), ("session start --agent forge", ".")):
        with Agent(repo) as agent:
            agent.says(f"--repo {place} {start_}")
            agent.does(f"echo new > {place}/new.txt")
            agent.kill()
        assert sweep(repo, 1)["rescues"] == []


def test_s3_11_of_a_task_in_a_worktree_of_its_own_the_work_is_filed_under_its_plan(repo: GitRepo) -> None:
    repo.write("plans/api.md", "---\nplan: api\n---\n# API\n## Phase 1: One\n- [ ] 1.1 Do it\n")
    repo.git("add", ".")
    repo.git("commit", "-qm", "plan")
    repo.git("worktree", "add", "-q", "-b", "mine", "../mine")
    with Agent(repo) as agent:
        assert '"claimed"' in agent.says("--repo ../mine task claim api:1.1 --json")
        agent.does("echo half > ../mine/half.txt")
        agent.kill()
    (reference,) = sweep(repo, 1)["rescues"]
    (task,) = asked(repo, "task", "list")["tasks"]
    assert task["left"]["rescue"] == reference
    assert repo.git("show", f"{reference}:half.txt") == "half"


@pytest.mark.parametrize(
    "at",
    mostly(
        [*(f"watchdog.{moment}" for moment in MOMENTS), *SIGNALS],
        ["running.signal:after:5"],
    ),
)
def test_s3_11_a_sweep_that_is_killed_is_finished_by_the_next(repo: GitRepo, slot: Path, at: str) -> None:
    tree = crash(repo, slot)
    killed = run("watchdog", "--once", "--grace", "0", cwd=repo.path, env={"PLANCTL_KILL_AT": at})
    assert killed.code == -signal.SIGKILL
    planctl("watchdog", "--once", "--grace", "0", repo=repo.path)
    assert_nothing_left(repo, slot, tree)
    assert sweep(repo, 0)["found"] is False


def test_s3_11_three_sessions_one_watchdog(repo: GitRepo) -> None:
    """S3.4: one at work, one stands by and takes over from a dead one; it ends with the last session."""
    arguments = ("watchdog", "--every", "0.1", "--grace", "0", "--until-idle", "--json")
    with Agent(repo) as one, Agent(repo) as two, Agent(repo) as three:
        for agent in (one, two, three):
            agent.says("session start --agent forge")
        child = one.starts("sleep 1000")
        both = [start(*arguments, cwd=repo.path) for _ in range(2)]
        first = until(lambda: watchdog(repo))
        killed, other = sorted(both, key=lambda process: process.pid != first["pid"])
        assert killed.pid == first["pid"]
        killed.kill()
        taken = until(lambda: (now := watchdog(repo)) and now["pid"] == other.pid and now)
        assert taken["token"] == first["token"] + 1
        until(lambda: any(row["children"] for row in asked(repo, "session", "list")["sessions"]))
        two.says("session end")
        one.kill()
        until(lambda: find_process(child) is None)
        assert other.poll() is None
        states = {row["state"] for row in asked(repo, "session", "list")["sessions"]}
        assert states == {"active"}, "the third, and the watchdog"
        three.says("session end")
        done = end_of(other)
    assert done.code == 0, done.err
    assert [p["pid"] for event in done.events for p in event["processes"]] == [child]
    with store_of(repo) as store:
        assert not store.leases()
        assert [e.data["token"] for e in store.events_after(0) if e.event == "watchdog.took-over"]


@pytest.fixture
def child(repo: GitRepo) -> Iterator[subprocess.Popen[str]]:
    """Of a dead session ``dead``; it says when it has had TERM, and goes on."""
    child = subprocess.Popen(
        ["sh", "-c", "trap 'echo termed' TERM; echo up; while :; do read x; done"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    with child.stdout, child.stdin:
        assert child.stdout.readline() == "up\n"
        mark = faces.started(child.pid)
        with faces.store_of(repo) as store:
            faces.add_dead_session(store, kind="agent", children=({"pid": child.pid, "started": mark},))
        yield child
        child.kill()
        child.wait()


def test_s3_5_who_comes_back_while_a_sweep_is_under_way_keeps_what_he_had_running(
    repo: GitRepo, child: subprocess.Popen[str]
) -> None:
    process = start("watchdog", "--once", "--grace", "1000", "--json", cwd=repo.path)
    assert child.stdout is not None
    assert child.stdout.readline() == "termed\n"
    assert asked(repo, "session", "start", "dead")["children"] == [
        {"pid": child.pid, "started": faces.started(child.pid)}
    ]
    done = end_of(process)
    assert done.code == 1
    assert "session dead came back" in done.err
    assert child.poll() is None
    assert sweep(repo, 0)["found"] is False


def test_s3_4_a_watchdog_that_was_stopped_and_wakes_up_changes_nothing(
    repo: GitRepo, child: subprocess.Popen[str]
) -> None:
    """It is stopped in its grace, when its victim has had TERM; another one ends that under a later token."""
    assert child.stdout is not None
    first = start("watchdog", "--once", "--grace", "1000", "--json", cwd=repo.path)
    assert child.stdout.readline() == "termed\n"
    with faces.store_of(repo) as store:
        with store.transaction():  # so that it is not stopped while it holds the store's own lock
            first.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WNOWAIT)
        lease = store.lease("watchdog")
        assert lease is not None
        assert store.renew(lease, expires=0.0), "as when its minute is over"
    assert [p["pid"] for p in sweep(repo, 1)["processes"]] == [child.pid]
    assert child.wait() == -signal.SIGKILL
    before = log_of(repo)
    first.send_signal(signal.SIGCONT)
    done = end_of(first)
    assert done.code == 4
    assert "the lease on watchdog was lost" in done.err
    assert log_of(repo) == before


def test_p15_a_run_and_a_supervisor_that_were_killed_leave_nothing(repo: GitRepo, gates: Gates) -> None:
    """The command's tree is ended, its work kept, the run is there for ``resume``."""
    work = "echo half > one; " + gates.command("a", "echo a > one")
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": work}})
    process = start("run-multi", "--all", cwd=repo.path)
    gates.await_at("a")
    process.kill()
    end_of(process)
    assert sweep(repo, 1)["mended"] == [{"code": "run-abandoned", "subject": _run_of(repo)}]
    assert not gates.nobody_at("a"), "its supervisor lives, and the policy is to keep it"
    assert sweep(repo, 0)["found"] is False
    supervision.kill_supervisor(supervised(repo, "a"))
    done = sweep(repo, 1)
    assert [one["code"] for one in done["mended"]] == ["attempt-without-supervisor"]
    assert len(done["processes"]) >= 2
    assert gates.nobody_at("a")
    with store_of(repo) as store:
        (lost,) = store.attempts(plan="a")
        assert (lost.state, lost.counted) == (AttemptState.LOST, False)
        assert repo.git("show", f"{lost.reason['rescue']}:one") == "half"
        assert store.runs()[-1].state is RunState.INTERRUPTED, "for `resume` to go on with"


def _run_of(repo: GitRepo) -> str:
    with store_of(repo) as store:
        return store.runs()[-1].id


@pytest.mark.parametrize(
    ("env", "has_one"), [({"CI": "", "TERM": "xterm"}, True), *seldom(({"CI": "true"}, False))]
)
def test_s3_9_a_run_has_a_watchdog_beside_it_but_not_in_ci(
    repo: GitRepo, gates: Gates, env: dict[str, str], has_one: bool
) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": gates.command("a", "echo a > one")}})
    process = start("run-multi", "--all", "--json", cwd=repo.path, env=env)
    gates.await_at("a")
    found = until(lambda: watchdog(repo)) if has_one else watchdog(repo)
    assert (found or {}).get("pid") == (process.pid if has_one else None)
    gates.open("a")
    assert end_of(process).code == 0
    assert_at_rest(repo, RunState.FINISHED)
