"""A store that is corrupt or gone is rebuilt from git, journals and processes, and says so; nothing twice."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.bootstrap import open_readonly_store, open_store
from orchestrator.errors import StoreRefusedError
from orchestrator.states import AttemptState, EntryState
from tests.support.faces import contents
from tests.support.gates import Gates, assert_all_landed, at_work, store_of
from tests.support.plans import commit_plans, landings
from tests.support.process import Done, end_of, run, start
from tests.support.repo import GitRepo
from worktrees.repository import find

TWO: dict[str, dict[str, object]] = {
    "a": {"files": {"write": ["one"]}, "run": "echo a >> one"},
    "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cat one > two"},
}
CHECK = "check: test ! -e bad\n"


def store_path(repo: GitRepo) -> Path:
    return repo.path / ".git" / "planctl" / "state.db"


def lose(repo: GitRepo) -> None:
    for suffix in ("", "-wal", "-shm"):
        store_path(repo).with_name(f"state.db{suffix}").unlink(missing_ok=True)


def middle(repo: GitRepo) -> None:
    size = store_path(repo).stat().st_size
    _overwrite(repo, 4096, b"\xa5" * (size - 8192))


def garbage(repo: GitRepo) -> None:
    store_path(repo).write_bytes(os.urandom(20_000))


def _overwrite(repo: GitRepo, offset: int, data: bytes) -> None:
    with store_path(repo).open("r+b") as file:
        file.seek(offset)
        file.write(data)


DAMAGES = (pytest.param(lose, marks=pytest.mark.stress), middle)
"""Most tests below lose the store; that one kind is left out of `make test` where both are tried."""


def resumed(repo: GitRepo) -> Done:
    """Go on; the first line says that the store was rebuilt."""
    done = run("resume", cwd=repo.path)
    assert "rebuilt from git and journals" in done.err, done.out + done.err
    return done


def states(repo: GitRepo) -> dict[str, str]:
    with store_of(repo) as store:
        return {attempt.plan: str(attempt.state) for attempt in store.latest_attempts()}


@pytest.mark.parametrize("damage", DAMAGES, ids=["lose", "middle"])
def test_s3_1_what_has_landed_is_known_again_and_lands_no_second_time(
    repo: GitRepo, damage: Callable[[GitRepo], None]
) -> None:
    commit_plans(repo, TWO, CHECK)
    assert run("run-multi", "a", "b", cwd=repo.path).code == 0
    main = repo.head("main")
    damage(repo)
    done = resumed(repo)
    assert done.code == 2, done.err
    assert len(done.err.splitlines()) == 3, done.err  # what was rebuilt, that nothing is interrupted, a hint
    assert states(repo) == {"a": "landed", "b": "landed"}
    again = run("run-multi", "a", "b", cwd=repo.path)
    assert again.code == 0, again.err
    assert repo.head("main") == main
    assert_all_landed(repo, ["a", "b"])
    doctor = run("doctor", "--json", cwd=repo.path).data
    codes = {issue["code"] for issue in doctor["issues"]}
    assert codes <= {"store-set-aside", "store-rebuilt"}, doctor
    assert codes
    assert doctor["healthy"]
    with store_of(repo) as store:
        assert [e for e in store.events_after(0) if e.event == "store.rebuilt"]


def at_gates(repo: GitRepo, gates: Gates, *names: str) -> None:
    """A killed planctl whose commands stand at gates."""
    plans: dict[str, dict[str, object]] = {
        n: {"files": {"write": [n]}, "run": gates.command(n, f"echo {n} >> {n}")} for n in names
    }
    commit_plans(repo, plans, CHECK)
    process = start("run-multi", *names, "-j", "3", cwd=repo.path)
    for name in names:
        gates.await_at(name)
    process.kill()
    end_of(process)


def test_s3_1_commands_that_live_are_watched_again(repo: GitRepo, gates: Gates) -> None:
    """Here no ``status.json`` tells of them; the next test has one."""
    at_gates(repo, gates, "a", "b")
    lose(repo)
    for path in (repo.path / ".git/planctl/outputs").glob("*/status.json"):
        path.unlink()
    assert len(at_work(repo)) == 2
    gates.open("a", "b")
    done = resumed(repo)
    assert done.code == 0, done.out + done.err
    assert gates.executions() == {"a": 1, "b": 1}
    assert_all_landed(repo, ["a", "b"])


def test_s3_1_commands_whose_supervisors_are_dead_run_again(repo: GitRepo, gates: Gates) -> None:
    from tests.stress.test_killed_at_work import kill_supervisors

    at_gates(repo, gates, "a", "b")
    kill_supervisors(repo, {"a"})
    garbage(repo)
    gates.pass_later("a")
    gates.open("b")
    done = resumed(repo)
    assert done.code == 0, done.out + done.err
    assert gates.executions() == {"a": 2, "b": 1}
    assert gates.nobody_at("a", "b")
    assert_all_landed(repo, ["a", "b"])


def test_s3_1_what_failed_stays_failed_and_work_that_was_not_to_land_waits(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {**TWO, "c": {"run": "echo half > half; exit 3"}}
    commit_plans(repo, plans, CHECK)
    assert run("run-multi", "a", "c", "--no-land", cwd=repo.path).code == 1
    main = repo.head("main")
    lose(repo)
    assert resumed(repo).code == 2  # the run had come to its end
    assert states(repo) == {"a": "finished", "c": "failed"}
    assert repo.head("main") == main
    rescued = run("rescue", "list", "--json", cwd=repo.path)
    assert "refs/planctl/rescue/c/" in rescued.out
    assert run("merge", "a", cwd=repo.path).code == 0
    assert landings(repo) == ["a"]


def test_s3_1_what_was_refused_is_still_in_the_queue_as_that(repo: GitRepo) -> None:
    commit_plans(repo, {**TWO, "bad": {"run": "echo x > bad"}}, CHECK)
    assert run("run-multi", "a", "bad", cwd=repo.path).code == 1
    with store_of(repo) as store:
        before = {(e.id, e.branch, e.head, str(e.state)) for e in store.entries()}
    lose(repo)
    resumed(repo)
    with store_of(repo) as store:
        assert {(e.id, e.branch, e.head, str(e.state)) for e in store.entries()} == before
    assert states(repo) == {"a": "landed", "bad": "rejected"}
    assert run("retry", "bad", cwd=repo.path).code == 1
    assert landings(repo) == ["a"]


def test_s3_1_a_landing_that_was_cut_short_is_made_once(repo: GitRepo) -> None:
    """The landed reference is there, and the target has not moved: as after a crash in git's own commit."""
    commit_plans(repo, TWO, CHECK)
    kill = {"PLANCTL_KILL_AT": "landing.refs:before"}
    assert run("run-multi", "a", cwd=repo.path, env=kill).code == -9
    line = repo.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/planctl/candidates")
    name, commit = line.split()
    repo.git("update-ref", f"refs/planctl/landed/a/{name.rpartition('/')[2]}", commit)
    lose(repo)
    done = resumed(repo)
    assert done.code == 0, done.out + done.err
    assert_all_landed(repo, ["a"])
    assert len(repo.git("for-each-ref", "refs/planctl/landed").splitlines()) == 1


def test_s3_1_a_landing_that_a_person_took_back_is_not_made_again(repo: GitRepo) -> None:
    commit_plans(repo, TWO, CHECK)
    before = repo.head("main")
    assert run("run-multi", "a", cwd=repo.path).code == 0
    repo.git("reset", "-q", "--hard", before)
    lose(repo)
    resumed(repo)
    assert repo.head("main") == before
    with store_of(repo) as store:
        (attempt,), (entry,) = store.latest_attempts(), store.entries()
    assert (attempt.state, entry.state) == (AttemptState.LANDED, EntryState.LANDED)
    (plan,) = run("status", "--json", cwd=repo.path).data["plans"]
    assert (plan["state"], plan["reason"]["code"]) == ("finished", "landing-undone")


def test_s3_1_no_worktree_with_work_in_it_is_given_away(repo: GitRepo) -> None:
    """One of a failed plan, one of a person's own, one that was tidy."""
    commit_plans(repo, {**TWO, "c": {"run": "echo half > half; exit 3"}, "d": {}}, CHECK)
    assert run("run-multi", "a", "c", cwd=repo.path).code == 1
    assert run("worktree", "add", "d", cwd=repo.path).code == 0
    with store_of(repo) as store:
        paths = {slot.plan: Path(slot.path) for slot in store.slots(purpose="plan")}
        held = {slot.name: str(slot.state) for slot in store.slots(purpose="plan")}
    (paths["d"] / "by-hand").write_text("mine\n")
    lose(repo)
    resumed(repo)
    with store_of(repo) as store:
        after = {slot.name: (str(slot.state), slot.plan) for slot in store.slots(purpose="plan")}
    assert after[paths["c"].name] == ("leased", "c")
    assert after[paths["d"].name] == ("leased", "d")
    assert states(repo)["d"] == "prepared"
    assert after.keys() == held.keys()
    done = run("run-multi", "b", cwd=repo.path)
    assert done.code == 0, done.err
    assert (paths["c"] / "half").exists()
    assert (paths["d"] / "by-hand").read_text() == "mine\n"


@pytest.mark.parametrize("side", [pytest.param("before", marks=pytest.mark.stress), "after"])
def test_s3_1_a_rebuilding_that_was_killed_is_done_by_the_next(repo: GitRepo, side: str) -> None:
    commit_plans(repo, TWO, CHECK)
    assert run("run-multi", "a", cwd=repo.path).code == 0
    garbage(repo)
    killed = run("resume", cwd=repo.path, env={"PLANCTL_KILL_AT": f"store.rebuild:{side}"})
    assert killed.code == -9, killed.err
    resumed(repo)
    assert states(repo) == {"a": "landed"}


def test_s3_1_a_store_of_a_newer_planctl_is_refused_in_one_line_and_nothing_changes(repo: GitRepo) -> None:
    commit_plans(repo, TWO, CHECK)
    assert run("run-multi", "a", cwd=repo.path).code == 0
    with contextlib.closing(sqlite3.connect(store_path(repo))) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = contents(repo.path)
    for arguments in (("run-multi", "b"), ("resume",), ("status",), ("queue", "add", "main")):
        done = run(*arguments, cwd=repo.path)
        assert (done.code, len(done.err.splitlines())) == (2, 2), done.err
        assert "a newer planctl made it (version 999" in done.err
    assert contents(repo.path) == before


def test_s3_1_a_store_that_the_user_may_not_open_is_refused(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of the system by ``access``, which lets root do everything: so it is told to say no."""
    with store_of(repo):
        pass
    found = find(repo.path)
    open_store(found).store.close()
    monkeypatch.setattr(os, "access", lambda *_: False)
    for opened in (open_store, open_readonly_store):
        with pytest.raises(StoreRefusedError, match=r"may not be (read|written) by this user \(owner"):
            opened(found)


def test_s3_1_a_store_that_is_deleted_under_a_run_ends_it_and_resume_goes_on(
    repo: GitRepo, gates: Gates
) -> None:
    plans: dict[str, dict[str, object]] = {
        n: {"files": {"write": [n]}, "run": gates.command(n, f"echo {n} >> {n}")} for n in ("a", "b")
    }
    commit_plans(repo, plans, CHECK)
    process = start("run-multi", "a", "b", cwd=repo.path)
    gates.await_at("a")
    gates.await_at("b")
    lose(repo)
    gates.open("b")
    done = end_of(process)
    assert done.code in (3, 4), done.out + done.err
    assert "Traceback" not in done.err
    assert "unexpected" not in done.err, done.err
    gates.open("a")
    for _ in range(2):
        again = run("resume", cwd=repo.path)
        if again.code == 0:
            break
    assert again.code == 0, again.out + again.err
    assert_all_landed(repo, ["a", "b"])
