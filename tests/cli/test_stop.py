"""``stop``: from any process, only what is proven to be planctl's (S0.5, S3.5)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.running.supervision import marked_processes
from orchestrator.sessions.identity import here, started
from orchestrator.states import AttemptState, RunState
from tests.support.cli import planctl
from tests.support.faces import LIMIT, Gate, add_dead_session, add_session, cli, reading, store_of, write_plan
from tests.support.records import a_run, an_attempt
from tests.support.repo import GitRepo


@pytest.fixture
def gate(repo: GitRepo, tmp_path: Path) -> Gate:
    """The plan ``one``, whose command and a child of it wait."""
    made = Gate(tmp_path)
    write_plan(repo, "one", f"echo work > kept.txt; sleep 1000 & {made.command}; wait")
    repo.commit("plan")
    return made


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A living process that is none of planctl's."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n", timeout=LIMIT)


def the_attempt(repo: GitRepo) -> AttemptState:
    with reading(repo) as store:
        return store.attempts(plan="one")[-1].state


def no_process_of(repo: GitRepo) -> bool:
    with reading(repo) as store:
        ids = {a.id for a in store.attempts()}
    return not [name for name in marked_processes() if name.rpartition("-")[0] in ids]


def test_s0_5_stop_ends_a_plans_whole_tree_and_its_run_notes_it(repo: GitRepo, gate: Gate) -> None:
    run = cli(repo, "run-multi", "one")
    gate.wait()
    said = planctl("stop", "one", "other", "--json", repo=repo.path)
    assert (said.code, said.data) == (0, {"stopped": ["one"], "not_at_work": ["other"]})
    told, _ = run.communicate(timeout=LIMIT)
    assert run.returncode == 1
    assert b"hint: `planctl retry one` does it again" in told
    assert the_attempt(repo) is AttemptState.CANCELLED
    assert no_process_of(repo)
    path = Path(planctl("worktree", "path", "one", repo=repo.path).stdout.strip())
    assert (path / "kept.txt").read_text(encoding="utf-8") == "work\n"
    again = planctl("stop", "one", repo=repo.path)
    assert again.code == 1
    assert "nothing of one" in again.stderr


def test_a_plan_that_waits_is_cancelled(repo: GitRepo) -> None:
    with store_of(repo) as store:
        store.add_run(a_run())
        store.add_attempt(an_attempt(plan="one", state=AttemptState.WAITING))
    assert planctl("stop", "one", repo=repo.path).code == 0
    assert the_attempt(repo) is AttemptState.CANCELLED


def test_s0_5_stop_run_asks_its_process_to_end_it_in_order(repo: GitRepo, gate: Gate) -> None:
    run = cli(repo, "run-multi", "one")
    gate.wait()
    said = planctl("stop", "--json", repo=repo.path)
    assert said.code == 0
    assert said.data["asked"] is True
    _, errors = run.communicate(timeout=LIMIT)
    assert run.returncode == 143, errors
    with reading(repo) as store:
        (record,) = store.runs()
        assert record.state is RunState.INTERRUPTED
        assert store.leases() == []
    assert no_process_of(repo)
    assert planctl("stop", "--run", record.id, repo=repo.path).code == 1


def test_stop_run_without_its_process_stops_the_commands_here(repo: GitRepo, gate: Gate) -> None:
    run = cli(repo, "run-multi", "one")
    gate.wait()
    run.kill()
    run.communicate(timeout=LIMIT)
    said = planctl("stop", "--json", repo=repo.path)
    assert said.code == 0
    assert (said.data["asked"], said.data["stopped"]) == (False, ["one"])
    with reading(repo) as store:
        assert store.runs()[0].state is RunState.INTERRUPTED
        attempt = store.attempts(plan="one")[0]
    ended = repo.path / ".git" / "planctl" / "records" / f"{attempt.id}-0" / "ended"
    following = cli(repo, "logs", "one", "-f")
    following.communicate(timeout=LIMIT)
    assert ended.exists(), "the log is followed until the supervisor has ended"
    assert no_process_of(repo)


def test_s3_5_a_process_that_took_the_pid_since_is_never_touched(
    repo: GitRepo, bystander: subprocess.Popen[bytes]
) -> None:
    mark = started(bystander.pid)
    assert mark is not None
    with store_of(repo) as store:
        add_session(store, "s1", bystander.pid, mark - 100)
        store.add_run(a_run())
    assert planctl("stop", "--run", "r1", repo=repo.path).code == 0
    assert bystander.poll() is None
    with reading(repo) as store:
        assert store.runs()[0].state is RunState.INTERRUPTED


def test_s3_5_a_process_that_cannot_be_seen_from_here_is_never_touched(
    repo: GitRepo, bystander: subprocess.Popen[bytes]
) -> None:
    mark = started(bystander.pid)
    assert mark is not None
    with store_of(repo) as store:
        add_session(store, "s1", bystander.pid, mark, host=f"{here()}/pid:[1]")
        store.add_run(a_run())
    said = planctl("stop", "--run", "r1", repo=repo.path)
    assert said.code == 4
    assert "cannot be seen" in said.stderr
    assert bystander.poll() is None


def test_what_stop_means_without_a_name(repo: GitRepo) -> None:
    assert planctl("stop", repo=repo.path).code == 2
    with store_of(repo) as store:
        add_dead_session(store)
        store.add_run(a_run("r1", session="dead"))
        store.add_run(a_run("r2", session="dead"))
    said = planctl("stop", repo=repo.path)
    assert said.code == 4
    assert "r1, r2" in said.stderr
    assert planctl("stop", "one", "--run", "r1", repo=repo.path).code == 2
