"""What nobody expected: the run ends in order all the same, in one line, a log and exit 3 (S0.3)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchestrator.states import RunState
from tests.support.editor import INDEX_LOCK, open_editor
from tests.support.gates import Gates, assert_all_landed, assert_at_rest, at_work, store_of
from tests.support.plans import commit_plans, landings
from tests.support.process import end_of, read_until, run, start
from tests.support.repo import GitRepo
from tests.support.slices import seldom

BROKEN = """\
import sys
from pathlib import Path
from importlib import import_module
from orchestrator.cli.main import main

trigger, place, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
room, _, kind = place.partition(":")
owner = getattr(import_module(room), kind)
before = getattr(owner, name)

def broken(self, *given, **more):
    if trigger.exists():
        raise ZeroDivisionError("nobody expected this")
    return before(self, *given, **more)

setattr(owner, name, broken)
sys.argv[1:] = sys.argv[4:]
main()
"""
PLACES = {
    "the loop": ("orchestrator.scheduling.observe:Observer", "view"),
    "a thread of the pool": ("orchestrator.scheduling.finishing:Finisher", "finish"),
    "the display": ("orchestrator.cli.display.feed:Feed", "show"),
}


def commit_three(repo: GitRepo, gates: Gates) -> None:
    plans: dict[str, dict[str, object]] = {
        name: {"files": {"write": [name]}, "run": gates.command(name, f"echo {name} > {name}")}
        for name in ("a", "b")
    }
    commit_plans(repo, plans, "check: test ! -e bad\n")


@pytest.mark.parametrize("where", ["the loop", "a thread of the pool", *seldom("the display")])
def test_s0_3_a_bug_ends_the_run_in_order(repo: GitRepo, gates: Gates, tmp_path: Path, where: str) -> None:
    commit_three(repo, gates)
    script, trigger = tmp_path / "broken.py", tmp_path / "trigger"
    script.write_text(BROKEN)
    process = start(
        str(trigger), *PLACES[where], "run-multi", "--all", "--json", cwd=repo.path, script=str(script)
    )
    gates.await_at("a")
    gates.await_at("b")
    trigger.touch()
    if where == "a thread of the pool":
        gates.open("b")
    done = end_of(process)
    assert done.code == 3, done.out + done.err
    assert len(done.err.splitlines()) == 1, done.err
    error = json.loads(done.out.splitlines()[-1])["error"]
    assert "ZeroDivisionError: nobody expected this" in error["message"]
    assert "nobody expected this" in Path(error["log"]).read_text()
    assert gates.nobody_at("a")
    assert_at_rest(repo, RunState.INTERRUPTED)
    gates.open("a", "b")
    again = run("resume", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    assert_all_landed(repo, ["a", "b"])


def test_s0_3_a_bug_in_the_queue_ends_the_run_in_order(repo: GitRepo, gates: Gates, tmp_path: Path) -> None:
    commit_three(repo, gates)
    script, trigger = tmp_path / "broken.py", tmp_path / "trigger"
    script.write_text(BROKEN)
    place = ("orchestrator.merging.round:Round", "process")
    process = start(str(trigger), *place, "run-multi", "--all", cwd=repo.path, script=str(script))
    gates.await_at("a")
    gates.await_at("b")
    trigger.touch()
    gates.open("b")
    done = end_of(process)
    assert done.code == 3, done.out + done.err
    assert gates.nobody_at("a")
    assert_at_rest(repo, RunState.INTERRUPTED)
    gates.open("a")
    assert run("resume", cwd=repo.path).code == 0
    assert_all_landed(repo, ["a", "b"])


FULL = """\
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from orchestrator.cli.main import main
from pathlib import Path
import threading
trigger, limit = Path(sys.argv[1]), int(sys.argv[2])
from orchestrator.scheduling.observe import Observer
before = Observer.view
def view(self):
    if trigger.exists():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    return before(self)
Observer.view = view
sys.argv[1:] = sys.argv[3:]
main()
"""


def test_s0_3_no_space_for_the_store_ends_in_a_clean_line(
    repo: GitRepo, gates: Gates, tmp_path: Path
) -> None:
    """No file can grow beyond 4 KiB any more, as on a full disk."""
    commit_three(repo, gates)
    script, trigger = tmp_path / "full.py", tmp_path / "trigger"
    script.write_text(FULL)
    process = start(str(trigger), "4096", "run-multi", "--all", cwd=repo.path, script=str(script))
    gates.await_at("a")
    gates.await_at("b")
    trigger.touch()
    gates.open("b")
    done = end_of(process)
    assert done.code == 3, done.out + done.err
    assert "Traceback" not in done.err
    fact, hint = done.err.splitlines()
    assert (fact[:9], hint[:8]) == ("planctl: ", "  hint: "), done.err
    assert gates.nobody_at("a"), done.err
    assert at_work(repo) == []
    gates.open("a")
    again = run("resume", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    assert_all_landed(repo, ["a", "b"])
    with store_of(repo) as store:
        assert store.runs()[-1].state is RunState.FINISHED


FULL_AT_LAUNCH = """\
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from orchestrator.cli.main import main
from orchestrator.scheduling.launching import StageLauncher
from pathlib import Path
trigger, limit = Path(sys.argv[1]), int(sys.argv[2])
before = StageLauncher._record
def record(self, attempt, phase, spec):
    if attempt.plan == "a":
        trigger.read_text()
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    return before(self, attempt, phase, spec)
StageLauncher._record = record
sys.argv[1:] = sys.argv[3:]
main()
"""


@pytest.mark.parametrize("limit", [4096, 0])
def test_s0_3_a_command_that_cannot_be_stored_any_more_is_ended(
    repo: GitRepo, gates: Gates, tmp_path: Path, limit: int
) -> None:
    """It runs already when the disk is full; with 0 not even the wish that it end can be written."""
    commit_three(repo, gates)
    script, trigger = tmp_path / "full.py", tmp_path / "trigger"
    script.write_text(FULL_AT_LAUNCH)
    os.mkfifo(trigger)
    process = start(str(trigger), str(limit), "run-multi", "--all", cwd=repo.path, script=str(script))
    gates.await_at("a")
    gates.await_at("b")
    trigger.write_text("go")
    done = end_of(process)
    assert done.code == 3, done.out + done.err
    assert "Traceback" not in done.err
    assert gates.nobody_at("a", "b"), done.err
    assert at_work(repo) == []
    gates.open("a", "b")
    again = run("resume", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    assert_all_landed(repo, ["a", "b"])


HASTY = """\
import sys
from orchestrator.merging import landing
landing.PATIENCE = ()
from orchestrator.cli.main import main
main()
"""


def test_l1_an_open_editor_of_a_commit_holds_up_a_run_and_does_not_end_it(
    repo: GitRepo, tmp_path: Path
) -> None:
    write = {"files": {"write": ["new"]}}
    commit_plans(
        repo,
        {"a": {**write, "run": "echo a > new"}, "b": {"dependencies": ["a"], "run": "echo b >> new"}},
    )
    repo.write("src/b.py", "mine\n")
    script = tmp_path / "hasty.py"
    script.write_text(HASTY)
    with open_editor(repo) as close:
        process = start("run-multi", "--all", "--json", cwd=repo.path, script=str(script))
        blocked = read_until(process, "entry.blocked", "a")
        assert (blocked["code"], blocked["paths"]) == ("locked", [str(repo.path / INDEX_LOCK)])
        status = run("status", "--json", cwd=repo.path)
        assert str(repo.path / INDEX_LOCK) in status.out
        close()
    done = end_of(process)
    assert done.code == 0, done.out + done.err
    assert landings(repo) == ["a", "b"]
    assert repo.git("status", "--porcelain") == " M src/b.py"
