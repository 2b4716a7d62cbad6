"""P18: a resolving process that was stopped for long wakes up when everything is somebody else's."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from orchestrator.slots.keeper import PLAN, SlotKeeper
from orchestrator.slots.prepared import journals
from orchestrator.states import EntryState
from tests.support.gates import Gates
from tests.support.plans import commit_plans
from tests.support.process import end_of, run, start
from tests.support.queues import configure, queue_of, require_sound
from tests.support.repo import GitRepo
from worktrees.repository import find


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
    merging.send_signal(signal.SIGSTOP)
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
