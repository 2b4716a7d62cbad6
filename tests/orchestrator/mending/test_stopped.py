"""P18: a resolving process that was stopped for long wakes up when everything is somebody else's."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.errors import BusyError
from orchestrator.services.resolve import resolve
from orchestrator.slots.keeper import PLAN, SlotKeeper
from orchestrator.slots.prepared import journals
from orchestrator.states import EntryState
from tests.support.gates import Gates
from tests.support.mending import conflict, mend, newest
from tests.support.plans import commit_plans
from tests.support.process import end_of, halt, run, start
from tests.support.queues import configure, queue_of, require_sound
from tests.support.repo import GitRepo
from tests.support.slices import seldom
from worktrees.repository import find

HALTED = """\
import signal
import sys
from orchestrator.cli.main import main
from tests.support.nursery import arm

arm(sys.argv.pop(), signal.SIGSTOP)
main()
"""


def test_p18_a_stopped_process_that_wakes_up_touches_no_worktree_of_another(
    repo: GitRepo, tmp_path: Path
) -> None:
    """Its lease ran out, another one judged the command and gave the slot back, and a plan has that now."""
    gates = Gates(tmp_path / "gates")
    resolver = json.dumps(gates.command("mend", "exit 1"))
    configure(repo, resolver=resolver, leases="{expiry: 1s}")
    repo.branch("one", {"src/a.py": "one\n"})
    repo.branch("two", {"src/a.py": "two\n"})
    merging = start("merge", "one", "two", "--json", cwd=repo.path)
    gates.await_at("mend")
    (prepared,) = journals(find(repo.path))
    with queue_of(repo) as queue:
        halt(merging, queue.bench.store)
    gates.open("mend")
    assert run("merge", "two", cwd=repo.path).code == 1
    assert journals(find(repo.path)) == ()
    with queue_of(repo) as queue:
        keeper = SlotKeeper(queue.bench)
        slot = keeper.take(PLAN)
        assert slot.name == prepared.slot
        tree = keeper.make_ready(slot, queue.main())
        (tree.path / "precious.txt").write_text("precious\n")
        (tree.path / "README.md").write_text("at work\n")
        merging.send_signal(signal.SIGCONT)
        end_of(merging)
        assert (tree.path / "precious.txt").read_text() == "precious\n"
        assert (tree.path / "README.md").read_text() == "at work\n"
        assert repo.git("branch", "--show-current", at=tree.path) == ""
        (two,) = [e for e in queue.bench.store.entries() if e.branch == "two"]
        assert (two.state, two.reason["code"]) == (EntryState.CONFLICTED, "resolver-failed")
        keeper.give_back(slot)
    require_sound(repo)


@pytest.mark.parametrize("moment", ["resolver.reset:before:1", *seldom("running.folders:before:1")])
def test_p18_nobody_takes_a_worktree_that_a_stopped_process_is_putting_back(
    repo: GitRepo, tmp_path: Path, moment: str
) -> None:
    """It is stopped between its look at the journal and ``git reset``, or the start of the resolver.

    Its lease runs out meanwhile. Who waits for it knows its name.
    """
    first = f"test -e {tmp_path}/again || {{ touch {tmp_path}/again; exit 1; }}; printf 'both\\n' > src/a.py"
    with queue_of(repo) as queue:
        two = conflict(queue, first, leases="{expiry: 1s}")
        (tmp_path / "halted.py").write_text(HALTED)
        halted = start("merge", "two", moment, cwd=repo.path, script=str(tmp_path / "halted.py"))
        assert os.WIFSTOPPED(os.waitpid(halted.pid, os.WUNTRACED)[1])
        (prepared,) = journals(queue.bench.repository)
        with closing(sqlite3.connect(repo.path / ".git/planctl/state.db", timeout=60)) as store, store:
            store.execute("UPDATE leases SET expires = 0 WHERE name = ?", (f"resolve:{two.id}",))
        mend(queue)
        assert journals(queue.bench.repository) == (prepared,), "it may go on at any moment"
        assert queue.entry(two).state is EntryState.RESOLVING
        assert f"pid {halted.pid} " in queue.entry(two).reason["detail"]
        with pytest.raises(BusyError, match=f"conflict of two is held by pid {halted.pid} "):
            resolve(queue.bench, queue.session, "two", cancel=queue.cancel)
        halted.send_signal(signal.SIGCONT)
        end_of(halted)
        mend(queue)
        if queue.entry(two).state is EntryState.CONFLICTED:  # its session was still known: it came to its end
            resolve(queue.bench, queue.session, "two", cancel=queue.cancel)
        queue.drain()
        assert newest(queue).state is EntryState.LANDED
        assert repo.show("main", "src/a.py") == "both\n"
    require_sound(repo)


def test_p18_stop_ends_the_resolver_of_a_plan(repo: GitRepo, tmp_path: Path) -> None:
    gates = Gates(tmp_path / "gates")
    one = {"run": "echo one > src/a.py"}
    two = {"run": "echo two > src/a.py"}
    resolver = json.dumps(f"echo half > half.txt; {gates.command('mend')}")
    commit_plans(repo, {"one": one, "two": two}, f"overlap: isolate\nresolver: {resolver}\n")
    running = start("run-multi", "one", "two", cwd=repo.path)
    gates.await_at("mend")
    (prepared,) = journals(find(repo.path))
    plan = prepared.branch.removeprefix("plan/")
    stopped = run("stop", plan, cwd=repo.path)
    assert (stopped.code, stopped.out) == (0, f"stopped {plan}\n")
    assert end_of(running).code == 1
    assert gates.nobody_at("mend")
    assert repo.head(prepared.branch) == prepared.ours
    with queue_of(repo) as queue:
        (ended,) = [e for e in queue.bench.store.entries() if e.plan == plan]
        assert (ended.state, ended.reason["code"]) == (EntryState.CONFLICTED, "resolver-stopped")
    assert journals(find(repo.path)) == ()
    require_sound(repo)
